"""The functions: what happens because of a fact and belongs to no service. They keep nothing and own nothing.

Hear   order.placed (process_order); product.created, product.updated (update_inventory);
       order.confirmed, order.rejected, order.cancelled (notify_customer); an image in Blob Storage (thumbnails)
Serve  GET /api/customer-data/{id} (customer_data)
Send   reserve-stock, open-stock, add-media-variant to the catalogue; reject-order to orders; letters to customers

Each may run twice, or again after it failed half-way: what it sends then is the same message, or the same letter.
"""
