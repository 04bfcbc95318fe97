"""Stops what the launcher has started, when the launcher says so and also when it is killed.

Its standard input is a pipe from the launcher, and it ends in both cases. A process of its own, and a tiny one: nothing
but the standard library, no site-packages (`python -S -m localcloud.guard GRACE_SECONDS`).
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

LOOK_EVERY_SECONDS = 0.02


class Started(NamedTuple):
    pid: int  # its process group has the same number
    stop_signal: int
    order: int  # what was started last is stopped first; what has the same number, together


def follow(lines: Iterable[str]) -> list[Started]:
    """Until the end of `started PID SIGNAL ORDER` and `ended PID`: what runs then."""
    running: dict[int, Started] = {}
    for line in lines:
        match line.split():
            case ["started", pid, stop_signal, order]:
                running[int(pid)] = Started(int(pid), int(stop_signal), int(order))
            case ["ended", pid]:
                running.pop(int(pid), None)
    return list(running.values())


def stop(running: list[Started], grace: float) -> None:
    """In reverse order; each has `grace` seconds to end in peace."""
    for order in sorted({each.order for each in running}, reverse=True):
        together = [each for each in running if each.order == order]
        for each in together:
            _send(os.kill, each.pid, each.stop_signal)
        deadline = time.monotonic() + grace
        while any(_runs(each.pid) for each in together) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_SECONDS)
        for each in together:
            _send(os.killpg, each.pid, signal.SIGKILL)  # what did not hear, and children left behind


def _send(kill: Callable[[int, int], None], pid: int, stop_signal: int) -> bool:
    try:
        kill(pid, stop_signal)
    except (ProcessLookupError, PermissionError):  # PermissionError: on macOS a group of zombies
        return False
    return True


def _runs(pid: int) -> bool:
    return _send(os.kill, pid, 0) and not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Once the launcher is dead its children are init's, and a container's init may never ask how they ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:  # no /proc (macOS), or just gone
        return False


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    stop(follow(sys.stdin), grace=float(sys.argv[1]))
