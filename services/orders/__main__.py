"""python -m services.orders"""

import os
import sys

import uvloop

from libs.common import logs, settings
from services.orders.app import run
from services.orders.settings import Settings

try:
    told = settings.read(Settings, os.environ)
except settings.Incomplete as incomplete:
    sys.exit(f"orders can't start: {incomplete}")
logs.configure(told.log_level)
uvloop.run(run(told))
