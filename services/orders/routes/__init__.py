"""HTTP in: place an order, follow it, call it off; staff ship it and take it back."""

from aiohttp import web

from services.orders.routes import changing, events, placing, reading
from services.orders.routes.keys import CURSORS as CURSORS
from services.orders.routes.keys import STORE as STORE

routes: list[web.AbstractRouteDef] = [*placing.routes, *reading.routes, *changing.routes, *events.routes]
