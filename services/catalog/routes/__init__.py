"""HTTP in: products, their stock and images, and categories. Anyone may read; staff write; customers may wait."""

from aiohttp import web

from services.catalog.routes import bulk, categories, listing, media, products, stock, uploads, waiting
from services.catalog.routes.keys import CURSORS as CURSORS
from services.catalog.routes.keys import GALLERY as GALLERY
from services.catalog.routes.keys import STORE as STORE

routes: list[web.AbstractRouteDef] = [
    *listing.routes,
    *bulk.routes,
    *products.routes,
    *media.routes,
    *uploads.routes,
    *stock.routes,
    *waiting.routes,
    *categories.routes,
]
