"""python -m services.catalog"""

from libs.common import service
from services.catalog.app import run
from services.catalog.settings import Settings

service.main("catalog", Settings, run)
