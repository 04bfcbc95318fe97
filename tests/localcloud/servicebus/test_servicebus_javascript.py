"""The wire is right for others too: npm's @azure/service-bus sends, receives, settles and administers."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from localcloud.access import Access
from localcloud.addresses import HOST
from localcloud.certificates import Certificates
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import Key, by_role
from localcloud.topology import BusSubscription, BusTopic, Queue
from tests.localcloud.servicebus.victim import KEY

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).with_name("sdk.mjs")
PACKAGE = "@azure/service-bus@7.9.5"
INSTALL_SECONDS, RUN_SECONDS = 120, 60


async def test_javascripts_sdk_passes(tmp_path: Path, access: Access, files: Certificates) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("JAVASCRIPT'S SDK WAS NOT TRIED: there is no node or no npm")
    install = [npm, "install", "--prefix", str(tmp_path), "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    status, said = await run(install, tmp_path, INSTALL_SECONDS)
    if status:
        pytest.skip(f"JAVASCRIPT'S SDK WAS NOT TRIED: npm's registry does not give it: {said[-200:]}")
    queues, topics = (
        {"catalog": Queue(), "sessions": Queue(sessions=True)},
        {"told": BusTopic(subscriptions={"all": BusSubscription()})},
    )
    keys = {"RootManageSharedAccessKey": Key(KEY)}
    async with (
        Broker.open(queues, tmp_path / "bus.sqlite", by_role(access), topics=topics, keys=keys) as broker,
        broker.listen(HOST, 0, files.server_context()) as port,
    ):
        connection = f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={KEY}"
        script = [node, str(SCRIPT), f"{connection};UseDevelopmentEmulator=true"]
        status, said = await run(script, tmp_path, RUN_SECONDS, NODE_EXTRA_CA_CERTS=str(files.ca))

    assert (status, said.strip().splitlines()[-1:]) == (0, ["passed"]), said


async def run(argv: list[str], folder: Path, seconds: float, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, stdout=PIPE, stderr=STDOUT, env=dict(os.environ) | environment
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        return 1, f"not within {seconds} s"
    return process.returncode or 0, said.decode()
