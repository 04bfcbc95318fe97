"""What the routes find in their application."""

from aiohttp import web

from libs.common.cursors import Cursors
from services.catalog.images import Images
from services.catalog.store import Store

STORE = web.AppKey("store", Store)
IMAGES = web.AppKey("images", Images)
CURSORS = web.AppKey("cursors", Cursors)
