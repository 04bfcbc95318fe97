"""Catalog.

Owns   products and their images, categories, stock and what of it is set aside for which order
Serves GET/POST /api/products · GET /api/products/counts · POST /api/products/import ·
       GET /api/products/export · GET/PUT/DELETE /api/products/{id} · GET/PUT /api/products/{id}/stock ·
       POST /api/products/{id}/media · DELETE /api/products/{id}/media/{media_id} ·
       GET/POST /api/categories · GET/PUT/DELETE /api/categories/{id}
Hears  reserve-stock (process_order), open-stock (update_inventory),
       order.confirmed, order.rejected, order.cancelled (orders)
Tells  product.created, product.updated, product.deleted, stock.reserved, stock.refused, stock.changed
"""
