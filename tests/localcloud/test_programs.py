"""The tests' own programs: whoever kills the tests leaves none of them behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from localcloud.processes import PROJECT
from tests.waiting import so

pytestmark = pytest.mark.real

TESTS = """
import asyncio, sys
from pathlib import Path
from localcloud.program import Program
from tests.localcloud.programs import running

async def ready():
    return True

async def main():
    program = Program("sleeper", [sys.executable, "-c", "import signal; signal.pause()"], ready)
    async with running(program, Path(sys.argv[1])) as sleeper:
        print(sleeper.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_tests_have_started_ends_with_them_however_they_end(how: signal.Signals, tmp_path: Path) -> None:
    tests = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TESTS, str(tmp_path / "log"), cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    assert tests.stdout
    sleeper = int(await tests.stdout.readline())

    tests.send_signal(how)
    await tests.wait()

    await so(lambda: not lives(sleeper))


def lives(pid: int) -> bool:
    """A zombie, whose parent has not asked yet how it ended, does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc").is_dir() is False
