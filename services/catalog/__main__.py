"""python -m services.catalog [migrate]"""

from libs.common import service
from services.catalog.app import run
from services.catalog.settings import Settings
from services.catalog.store import migrate

service.main("catalog", Settings, run, migrate)
