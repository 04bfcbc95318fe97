"""python -m services.orders [migrate | copy --to URL]"""

from libs.common import service
from services.orders import store
from services.orders.app import run
from services.orders.settings import Settings

service.main("orders", Settings, run, store)
