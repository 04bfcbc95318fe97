"""python -m services.customers"""

import os
import sys

import uvloop

from libs.common import logs, settings
from services.customers.app import run
from services.customers.settings import Settings

try:
    told = settings.read(Settings, os.environ)
except settings.Incomplete as incomplete:
    sys.exit(f"customers can't start: {incomplete}")
logs.configure(told.log_level)
uvloop.run(run(told))
