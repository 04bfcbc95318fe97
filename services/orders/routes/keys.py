"""What the routes find in the application."""

from aiohttp import web

from libs.common.cursors import Cursors
from services.orders.store import Store

STORE = web.AppKey("store", Store)
CURSORS = web.AppKey("cursors", Cursors)
