"""python -m services.customers"""

from libs.common import service
from services.customers.app import run
from services.customers.settings import Settings

service.main("customers", Settings, run)
