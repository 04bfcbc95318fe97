"""Somebody else's project: what docs/localcloud/README.md shows is done, word for word, but for the ports."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from functools import partial
from pathlib import Path

import pytest

from localcloud.addresses import Addresses, Port
from localcloud.program import Program, listening
from tests.localcloud.programs import free_ports, running

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/localcloud/README.md").read_text()
SECONDS = 40


def block(language: str, number: int = 0) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found[number]


def moved(text: str, base: int) -> str:
    """To other ports."""
    return re.sub(r"127\.0\.0\.1:80(\d\d)", lambda port: f"127.0.0.1:{base + int(port[1]) - 80}", text)


async def test_a_mistake_in_the_file_is_named_in_one_line_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(block("yaml").replace("jobs: {lock_seconds: 30", "jobs: {forward_to: Joobs, lock_seconds: 30"))

    start = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "localcloud", "--topology", str(file), "--state", str(tmp_path / "state")),
        cwd=ROOT,
        stderr=PIPE,
    )
    async with asyncio.timeout(SECONDS):
        _, said = await start.communicate()

    last = f"{file}: there is no other queue or topic Joobs - at `$.queues.jobs.forward_to`"
    assert (start.returncode, said.decode().splitlines()[-1].partition("--topology: ")[2]) == (2, last)


async def test_another_project_starts_from_the_page_as_it_stands(tmp_path: Path) -> None:
    base = free_ports(len(Port))
    state = tmp_path / "shop-state"
    (tmp_path / "shop.yaml").write_text(block("yaml"))
    (tmp_path / "shop.py").write_text(moved(block("python"), base))
    addresses = Addresses(base)
    ready = partial(listening, addresses.port(Port.EVENTGRID), addresses.port(Port.SERVICEBUS))
    told = [
        "--topology",
        str(tmp_path / "shop.yaml"),
        "--state",
        str(state),
        "--base-port",
        str(base),
    ]
    cloud = Program("localcloud", [sys.executable, "-m", "localcloud", *told], ready, cwd=ROOT)

    async with running(cloud, tmp_path / "log"):
        script = moved(block("sh", 1), base) + f"exec {sys.executable} shop.py\n"
        shell = await asyncio.create_subprocess_exec(
            "sh", "-euc", script, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, stdout=PIPE, stderr=STDOUT
        )
        async with asyncio.timeout(SECONDS):
            said, _ = await shell.communicate()

    assert said.decode() == "secret: hello\nmessage: shop.opened\n"
