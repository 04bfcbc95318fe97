"""python -m services.customers [migrate]"""

from libs.common import service
from services.customers.app import run
from services.customers.settings import Settings
from services.customers.store import migrate

service.main("customers", Settings, run, migrate)
