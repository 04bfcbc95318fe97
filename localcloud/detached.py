"""The launcher in the background: what it says is shown until the store is ready, or until it has failed."""

import subprocess
import sys
import time
from pathlib import Path

from localcloud import runfile
from localcloud.logfiles import LogFiles
from localcloud.runfile import AlreadyRuns

LOOK_EVERY_SECONDS = 0.05


def run(folder: Path, launcher: list[str]) -> int:
    """The exit status. Ctrl-C stops what has been started so far. Raises AlreadyRuns."""
    if running := runfile.read(folder):
        raise AlreadyRuns(running)
    log = LogFiles(folder / "logs").begin("launcher")
    with log.open("ab") as output:
        process = subprocess.Popen(
            launcher, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        return _show_until_ready(folder, process, log)
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()


def _show_until_ready(folder: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    with log.open() as said:
        while True:
            ended, ready = process.poll(), _is_ready(folder, process.pid)
            sys.stdout.write(said.read())
            sys.stdout.flush()
            if ended is not None or ready:
                return ended or 0
            time.sleep(LOOK_EVERY_SECONDS)


def _is_ready(folder: Path, pid: int) -> bool:
    run = runfile.read(folder)
    return run is not None and run.ready and run.pid == pid
