"""Orders.

Owns   orders, their history and timeline; copies of the price list and of who is a customer, fed by facts
Serves POST /api/orders · GET /api/orders, /api/orders/{id}, …/timeline, …/events
       POST /api/orders/{id}/cancel, …/ship, …/deliver, …/return
Hears  stock.reserved, stock.refused, product.created, product.updated, product.deleted (catalog),
       customer.registered, customer.updated, customer.erased (customers), reject-order (process_order),
       record-payment (take_payment), record-letter (notify_customer)
Tells  order.placed, payment.requested, order.confirmed, order.rejected, order.cancelled, order.shipped,
       order.delivered, order.returned
"""
