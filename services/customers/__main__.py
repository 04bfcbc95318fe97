"""python -m services.customers [migrate | copy --to URL]"""

from libs.common import service
from services.customers import store
from services.customers.app import run
from services.customers.settings import Settings

service.main("customers", Settings, run, store)
