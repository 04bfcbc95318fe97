"""The functions: what happens because of a fact and belongs to no service. They own nothing.

Hear   order.placed (process_order); product.created, product.updated (update_inventory);
       order.confirmed, order.rejected, order.cancelled, order.shipped, order.returned (notify_customer);
       stock.low (notify_staff); back-in-stock (notify_waiting);
       payment-requested, order.confirmed, .rejected, .cancelled, .returned (take_payment);
       an image in Blob Storage (thumbnails)
Serve  GET /api/customer-data/{id} (customer_data); POST /api/payment-callback (payment_callback)
Send   reserve-stock, open-stock, add-media-variant to the catalogue; reject-order, record-letter, record-payment to
       orders; letters to customers and to the staff

Each may run twice, or again after it failed half-way: what it sends then is the same message, or the same letter. All
that a process remembers is which letters it has posted lately, so as not to post them again.
"""
