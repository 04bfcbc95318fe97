"""python -m tests.engines.tds --port … --postgres URL --certificate … --key … ; the login is in the environment."""

import argparse
import os
from pathlib import Path

from pysqlbridge.certificate import Certificate

from tests.engines.tds.server import Door, Logins

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--postgres", required=True)
parser.add_argument("--certificate", type=Path, required=True)
parser.add_argument("--key", type=Path, required=True)
told = parser.parse_args()

certificate = Certificate(told.certificate.read_bytes(), told.key.read_bytes())
logins = Logins(os.environ["PEER_USER"], os.environ["PEER_WORD"])
with Door(told.port, certificate, logins, told.postgres) as door:
    door.serve_forever()
