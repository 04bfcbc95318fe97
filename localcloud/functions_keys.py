"""The keys of the functions host, as files: the form it reads on Container Apps (`/run/secrets/functions-keys`)."""

import secrets
import sys
from pathlib import Path

from localcloud.state import made_once

EVENT_GRID = "host.systemKey.eventgrid_extension"  # Event Grid shows this one when it calls a function
NAMES = ("host.master", "host.function.default", EVENT_GRID)


def ensure(folder: Path) -> None:
    """Makes each key that is missing, at random."""
    for name in NAMES:
        made_once(folder / name, lambda: secrets.token_urlsafe(40).encode())


def read(path: Path) -> str:
    """Raises FileNotFoundError."""
    return path.read_text().strip()


if __name__ == "__main__":  # python -m localcloud.functions_keys DIR
    ensure(Path(sys.argv[1]))
