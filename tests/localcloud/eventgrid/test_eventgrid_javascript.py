"""The wire is right for others too: npm's @azure/eventgrid publishes both schemas, by key and by signature."""

from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.topology import Topology
from tests.javascript import JavaScript
from tests.localcloud.eventgrid.grid import KEYS, NOWHERE, Cloud, Queues
from tests.localcloud.eventgrid.hooks import OWN_TOPIC, hearing

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).with_name("sdk.mjs")
PACKAGE = "@azure/eventgrid@5.12.0"


async def test_javascripts_sdk_passes(tmp_path: Path, cloud: Cloud, store: Topology, queues: Queues) -> None:
    javascript = await JavaScript.with_packages(tmp_path, PACKAGE)
    to = {"queue": "orders"}
    heard = hearing(store, {"to": to}, {"name": "own", "topic": OWN_TOPIC, "to": to, "schema": "eventgrid"})
    async with replace(cloud, topology=heard).running(NOWHERE) as running:
        endpoints = [f"{running.url}/{topic}/api/events" for topic in ("orders", OWN_TOPIC)]
        await javascript.passes(SCRIPT, *endpoints, KEYS[OWN_TOPIC][0], NODE_EXTRA_CA_CERTS=str(cloud.files.ca))
        bodies = [(await queues.next()).body for _ in range(4)]

    assert all(any(f'"js-{number}"'.encode() in body for body in bodies) for number in range(1, 5))
    assert any(b'"data_base64":"AP8="' in body for body in bodies)
