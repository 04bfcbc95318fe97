"""HTTP in: products, their stock and images, and categories. Anyone may read; staff write."""

from aiohttp import web

from services.catalog.routes import categories, media, products, stock, uploads
from services.catalog.routes.keys import CURSORS as CURSORS
from services.catalog.routes.keys import GALLERY as GALLERY
from services.catalog.routes.keys import STORE as STORE

routes: list[web.AbstractRouteDef] = [
    *products.routes,
    *media.routes,
    *uploads.routes,
    *stock.routes,
    *categories.routes,
]
