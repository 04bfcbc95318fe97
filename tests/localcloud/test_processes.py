"""Supervision, on real processes: restarts, their budget, the order of the end, and no orphan after `kill -9`."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from localcloud.logfiles import LogFiles
from localcloud.processes import Failed, Patience, Processes
from localcloud.program import Program
from localcloud.runfile import held
from tests.waiting import so

pytestmark = pytest.mark.real

QUICK = Patience(grace=5, longest_pause=0.01)

# Notes in a file what happens to it, and takes its time to end.
SLEEPER = """
import pathlib, signal, sys
name, notes = sys.argv[1], pathlib.Path(sys.argv[2])
def note(what):
    with notes.open("a") as file:
        file.write(f"{name} {what}\\n")
def end(*_):
    note("ends")
    sys.exit()
signal.signal(signal.SIGTERM, end)
note("starts")
signal.pause()
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
LAUNCHER = """
import asyncio, random, sys
from pathlib import Path
from localcloud import runfile
from localcloud.logfiles import LogFiles
from localcloud.processes import Patience, Processes
from localcloud.program import Program
from tests.waiting import so

async def ready():
    return True

async def main():
    folder = Path(sys.argv[1])
    with runfile.held(folder) as lock:
        logs = LogFiles(folder)
        await supervise(Processes(logs, random.Random(1), print, lambda: None, lock, Patience(grace=5)), folder)

async def supervise(processes, folder):
    async with processes.supervised():
        for name in ("first", "second"):
            argv = [sys.executable, "-S", "-c", sys.argv[2], name, str(folder / "notes")]
            await processes.start(Program(name, argv, ready))
        await so(lambda: (folder / "notes").read_text().count("starts") == 2)
        print("pids", *(each.process.pid for each in processes.running.values()), flush=True)
        await asyncio.wait_for(asyncio.Event().wait(), 60)

asyncio.run(main())
"""


def program(name: str, *argv: str, ready: Callable[[], bool] = lambda: True) -> Program:
    async def answer() -> bool:
        return ready()

    return Program(name, [sys.executable, "-S", "-c", *argv], answer)


def sleeper(name: str, folder: Path) -> Program:
    notes = folder / "notes"
    ready = lambda: notes.exists() and f"{name} starts\n" in notes.read_text()  # noqa: E731
    return program(name, SLEEPER, name, str(notes), ready=ready)


@asynccontextmanager
async def supervised(folder: Path, said: list[str], patience: Patience = QUICK) -> AsyncIterator[Processes]:
    with (folder / "lock").open("w") as lock:
        processes = Processes(LogFiles(folder), random.Random(1), said.append, lambda: None, lock.fileno(), patience)
        async with processes.supervised():
            yield processes


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_what_was_started_last_ends_first(tmp_path: Path) -> None:
    said: list[str] = []

    async with supervised(tmp_path, said) as processes:
        await processes.start(sleeper("first", tmp_path))
        await processes.start(sleeper("second", tmp_path))

    assert (tmp_path / "notes").read_text().split("\n")[2:4] == ["second ends", "first ends"]
    assert [line.split(" (")[0] for line in said] == ["first is ready", "second is ready"]


async def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    async with supervised(tmp_path, said) as processes:
        await processes.start(sleeper("shop", tmp_path))
        first = processes.running["shop"].process.pid

        os.kill(first, signal.SIGKILL)
        await so(lambda: processes.running["shop"].restarts == 1)

        assert processes.running["shop"].process.pid != first
    assert said[1:] == ["shop has died (SIGKILL) and is started again"]


async def test_a_program_that_dies_again_and_again_ends_everything_with_its_last_words(
    tmp_path: Path,
) -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(Failed, match=r"(?s)shop has died 10 times.*shop\.log.*no settings"), flatten_subgroups=True
    ):
        async with supervised(tmp_path, []) as processes:
            await processes.start(sleeper("other", tmp_path))
            await processes.start(program("shop", "import sys; sys.exit('no settings')", ready=lambda: False))

    assert (tmp_path / "notes").read_text() == "other starts\nother ends\n"


async def test_a_program_that_is_never_ready_ends_everything(tmp_path: Path) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(Failed, match="shop is not ready"), flatten_subgroups=True):
        async with supervised(tmp_path, [], Patience(ready=0.2)) as processes:
            await processes.start(program("shop", "import signal; signal.pause()", ready=lambda: False))


async def test_a_step_that_fails_ends_everything_with_its_last_words(tmp_path: Path) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(Failed, match=r"(?s)seed has failed \(exit status 1\).*no shop")):
        async with supervised(tmp_path, []) as processes:
            await processes.start(sleeper("shop", tmp_path))
            await processes.run(program("greeting", "print('hello')"))
            await processes.run(program("seed", "import sys; sys.exit('no shop')"))

    assert (tmp_path / "greeting.log").read_text() == "hello\n"
    assert (tmp_path / "notes").read_text() == "shop starts\nshop ends\n"


async def test_what_does_not_hear_is_killed_after_its_grace(tmp_path: Path) -> None:
    heard = lambda: "deaf" in (tmp_path / "shop.log").read_text()  # noqa: E731

    async with supervised(tmp_path, [], Patience(grace=0.2)) as processes:
        await processes.start(program("shop", DEAF, ready=heard))

    assert processes.running["shop"].process.returncode == -signal.SIGKILL


async def test_no_orphan_is_left_when_the_launcher_is_killed_and_the_next_one_waits_for_that(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    launcher = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LAUNCHER, str(tmp_path), SLEEPER, stdout=asyncio.subprocess.PIPE
    )
    assert launcher.stdout
    lines = (await launcher.stdout.readuntil(b"pids"), await launcher.stdout.readline())
    pids = [int(word) for word in lines[1].split()]

    launcher.kill()
    await launcher.wait()
    with held(tmp_path):
        left = [pid for pid in pids if not gone(pid)]

    assert left == []
    assert (tmp_path / "notes").read_text().split("\n")[2:4] == ["second ends", "first ends"]


async def test_no_orphan_is_left_when_the_guard_is_killed(tmp_path: Path) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(Failed, match="the guard")):
        async with supervised(tmp_path, []) as processes:
            await processes.start(sleeper("shop", tmp_path))
            processes.guard.process.kill()
            await asyncio.Event().wait()

    assert gone(processes.running["shop"].process.pid)
    assert (tmp_path / "notes").read_text() == "shop starts\nshop ends\n"


def test_logs_keep_the_one_before_and_stay_bounded(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path)
    with logs.begin("shop").open("ab") as file:
        file.write(b"old\n")

    with logs.begin("shop").open("ab", buffering=0) as file:
        previous = (tmp_path / "shop.log.1").read_text()
        file.write(b"much\n" * 100)
        logs.bound(most=100)
        file.write(b"new\n")

    assert (previous, logs.tail("shop", 5)) == ("old\n", "new")
    assert (tmp_path / "shop.log.1").read_text() == "much\n" * 100


def test_where_there_is_no_room_for_the_one_before_a_log_stays_bounded_all_the_same(tmp_path: Path) -> None:
    logs = LogFiles(tmp_path)
    logs.begin("shop").write_bytes(b"much\n" * 100)
    (tmp_path / "shop.log.1").mkdir()

    logs.bound(most=100)

    assert logs.path("shop").read_bytes() == b""
