"""python -m services.orders"""

from libs.common import service
from services.orders.app import run
from services.orders.settings import Settings

service.main("orders", Settings, run)
