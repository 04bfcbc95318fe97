"""Orders.

Owns   orders and their history; copies of the price list and of who is a customer, fed by facts
Serves POST /api/orders · GET /api/orders, /api/orders/{id}, /api/orders/{id}/timeline · POST /api/orders/{id}/cancel
Hears  stock.reserved, stock.refused, product.created, product.updated, product.deleted (catalog),
       customer.registered, customer.updated, customer.erased (customers), reject-order (process_order)
Tells  order.placed, order.confirmed, order.rejected, order.cancelled
"""
