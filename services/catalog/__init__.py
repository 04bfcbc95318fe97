"""Catalog.

Owns   products and their images and videos, categories, stock and its ledger, what of it is set aside for which order,
       who waits for what
Serves GET/POST /api/products · GET /api/products/counts · POST /api/products/import ·
       GET /api/products/export · GET/PUT/DELETE /api/products/{id} · GET/PUT /api/products/{id}/stock ·
       POST /api/products/{id}/stock/receipts · PUT /api/products/{id}/stock/reorder-level ·
       GET /api/products/{id}/stock/ledger · GET/PUT/DELETE /api/products/{id}/waiting · GET /api/waiting ·
       POST /api/products/{id}/media · DELETE /api/products/{id}/media/{media_id} ·
       POST /api/products/{id}/media/uploads · POST /api/products/{id}/media/uploads/{upload_id}/complete ·
       GET/POST /api/categories · GET/PUT/DELETE /api/categories/{id}
Hears  reserve-stock (process_order), open-stock (update_inventory), add-media-variant (thumbnails),
       order.confirmed, order.rejected, order.cancelled, order.returned (orders), customer.erased (customers),
       its own stock.replenished and product.deleted
Tells  product.created, product.updated, product.deleted, stock.reserved, stock.refused, stock.changed, stock.low,
       stock.replenished, back-in-stock
"""
