"""python -m services.orders [migrate]"""

from libs.common import service
from services.orders.app import run
from services.orders.settings import Settings
from services.orders.store import migrate

service.main("orders", Settings, run, migrate)
