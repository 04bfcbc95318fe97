"""The wire is right for others too: npm's @azure/eventgrid publishes both schemas, by key and by signature."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import KEYS, NOWHERE, Cloud, Queues
from tests.localcloud.eventgrid.hooks import OWN_TOPIC, hearing
from tests.localcloud.servicebus.test_servicebus_javascript import INSTALL_SECONDS, RUN_SECONDS, run

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).with_name("sdk.mjs")
PACKAGE = "@azure/eventgrid@5.12.0"


async def test_javascripts_sdk_passes(tmp_path: Path, cloud: Cloud, store: Topology, queues: Queues) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("JAVASCRIPT'S SDK WAS NOT TRIED: there is no node or no npm")
    install = [npm, "install", "--prefix", str(tmp_path), "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    status, said = await run(install, tmp_path, INSTALL_SECONDS)
    if status:
        pytest.skip(f"JAVASCRIPT'S SDK WAS NOT TRIED: npm's registry does not give it: {said[-200:]}")
    to = {"queue": "orders"}
    heard = hearing(store, {"to": to}, {"name": "own", "topic": OWN_TOPIC, "to": to, "schema": "eventgrid"})
    async with replace(cloud, topology=heard).running(NOWHERE) as running:
        endpoints = [f"{running.url}/{topic}/api/events" for topic in ("orders", OWN_TOPIC)]
        script = [node, str(SCRIPT), *endpoints, KEYS[OWN_TOPIC][0]]
        status, said = await run(script, tmp_path, RUN_SECONDS, NODE_EXTRA_CA_CERTS=str(cloud.files.ca))
        assert (status, said.strip().splitlines()[-1:]) == (0, ["passed"]), said

        bodies = [(await queues.next()).body for _ in range(4)]

    assert all(any(f'"js-{number}"'.encode() in body for body in bodies) for number in range(1, 5))
    assert any(b'"data_base64":"AP8="' in body for body in bodies)
