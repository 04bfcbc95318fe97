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


def arguments(file: Path, state: Path, base: int) -> list[str]:
    """Of a cloud for the page's project."""
    if not file.exists():
        file.write_text(block("yaml"))
    return ["-m", "localcloud", "--topology", str(file), "--state", str(state), "--base-port", str(base)]


async def refusal(*argv: str) -> str:
    """What is said at the end by one that does not start."""
    start = await asyncio.create_subprocess_exec(sys.executable, *argv, cwd=ROOT, stderr=PIPE)
    async with asyncio.timeout(SECONDS):
        _, said = await start.communicate()
    assert start.returncode == 2
    return said.decode().splitlines()[-1]


async def test_a_mistake_in_the_file_is_named_in_one_line_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(block("yaml").replace("jobs: {lock_seconds: 30", "jobs: {forward_to: Joobs, lock_seconds: 30"))

    said = await refusal(*arguments(file, tmp_path / "state", free_ports(len(Port))))

    assert said.endswith(f"{file}: there is no other queue or topic Joobs - at `$.queues.jobs.forward_to`")


async def test_a_second_cloud_on_the_same_ports_or_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    file, base, other = tmp_path / "shop.yaml", free_ports(len(Port)), free_ports(len(Port))
    ready = partial(listening, *(base + port for port in (Port.SERVICEBUS, Port.LETTERS)))
    first = Program("localcloud", [sys.executable, *arguments(file, tmp_path / "state", base)], ready, cwd=ROOT)

    async with running(first, tmp_path / "log"):
        by_port = await refusal(*arguments(file, tmp_path / "state-2", base))
        by_folder = await refusal(*arguments(file, tmp_path / "state", other))

    assert f"Ports {base} to {base + max(Port)} are needed, and one is taken" in by_port
    assert f"{tmp_path / 'state'}: Another local cloud keeps its state there" in by_folder


async def test_another_project_starts_from_the_page_as_it_stands(tmp_path: Path) -> None:
    base = free_ports(len(Port))
    state = tmp_path / "shop-state"
    (tmp_path / "shop.py").write_text(moved(block("python"), base))
    addresses = Addresses(base)
    ready = partial(listening, addresses.port(Port.EVENTGRID), addresses.port(Port.SERVICEBUS))
    told = arguments(tmp_path / "shop.yaml", state, base)
    cloud = Program("localcloud", [sys.executable, *told], ready, cwd=ROOT)

    async with running(cloud, tmp_path / "log"):
        script = moved(block("sh", 1), base) + f"exec {sys.executable} shop.py\n"
        shell = await asyncio.create_subprocess_exec(
            "sh", "-euc", script, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, stdout=PIPE, stderr=STDOUT
        )
        async with asyncio.timeout(SECONDS):
            said, _ = await shell.communicate()

    assert said.decode() == "secret: hello\nmessage: shop.opened\n"
