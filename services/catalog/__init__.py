"""Catalog.

Owns   products and their images and videos, categories, stock and what of it is set aside for which order
Serves GET/POST /api/products · GET/PUT/DELETE /api/products/{id} · GET/PUT /api/products/{id}/stock ·
       POST /api/products/{id}/media · DELETE /api/products/{id}/media/{media_id} ·
       POST /api/products/{id}/media/uploads · POST /api/products/{id}/media/uploads/{upload_id}/complete ·
       GET/POST /api/categories · GET/PUT/DELETE /api/categories/{id}
Hears  reserve-stock (process_order), open-stock (update_inventory), add-media-variant (thumbnails),
       order.confirmed, order.rejected, order.cancelled (orders)
Tells  product.created, product.updated, product.deleted, stock.reserved, stock.refused, stock.changed
"""
