"""python -m services.catalog [migrate | copy --to URL]"""

from libs.common import service
from services.catalog import store
from services.catalog.app import run
from services.catalog.settings import Settings

service.main("catalog", Settings, run, store)
