"""The same command for the store that runs on this laptop: as its operator, and told where everything is."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from localcloud import runfile
from localcloud.runfile import NotRunning
from localcloud.store import Store, state_folder


def become(arguments: list[str]) -> NoReturn:
    """This process is the command from then on: whom to trust is read when one starts. Raises NotRunning."""
    parser = argparse.ArgumentParser("python -m deploy.dead_letters.here", add_help=False)
    parser.add_argument("--state", type=Path, metavar="DIR")
    chosen, rest = parser.parse_known_args(arguments)
    folder = state_folder(chosen.state)
    store = Store.open(folder, runfile.running(folder).base_port, datetime.now(UTC), {})
    command = [sys.executable, "-m", "deploy.dead_letters", *rest]
    os.execve(sys.executable, command, {**os.environ, **store.told_operator()})  # noqa: S606


if __name__ == "__main__":
    try:
        become(sys.argv[1:])
    except NotRunning as error:
        sys.exit(str(error))
