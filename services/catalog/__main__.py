"""python -m services.catalog"""

import os
import sys

import uvloop

from libs.common import logs, settings
from services.catalog.app import run
from services.catalog.settings import Settings

try:
    told = settings.read(Settings, os.environ)
except settings.Incomplete as incomplete:
    sys.exit(f"catalog can't start: {incomplete}")
logs.configure(told.log_level)
uvloop.run(run(told))
