"""What the routes find in their application."""

from aiohttp import web

from libs.common.cursors import Cursors
from services.catalog.gallery import Gallery
from services.catalog.store import Store

STORE = web.AppKey("store", Store)
GALLERY = web.AppKey("gallery", Gallery)
CURSORS = web.AppKey("cursors", Cursors)
