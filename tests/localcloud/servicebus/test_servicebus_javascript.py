"""The wire is right for others too: npm's @azure/service-bus sends, receives, settles and administers."""

from pathlib import Path

import pytest

from localcloud.access import Access
from localcloud.addresses import HOST
from localcloud.certificates import Certificates
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import Key, by_role
from localcloud.topology import BusSubscription, BusTopic, Queue
from tests.javascript import JavaScript
from tests.localcloud.servicebus.victim import KEY

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).with_name("sdk.mjs")
PACKAGE = "@azure/service-bus@7.9.5"


async def test_javascripts_sdk_passes(tmp_path: Path, access: Access, files: Certificates) -> None:
    javascript = await JavaScript.with_packages(tmp_path, PACKAGE)
    queues, topics = (
        {"catalog": Queue(), "sessions": Queue(sessions=True)},
        {"told": BusTopic(subscriptions={"all": BusSubscription(), "few": BusSubscription()})},
    )
    keys = {"RootManageSharedAccessKey": Key(KEY)}
    async with (
        Broker.open(queues, tmp_path / "bus.sqlite", by_role(access), topics=topics, keys=keys) as broker,
        broker.listen(HOST, 0, files.server_context()) as port,
    ):
        connection = f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={KEY}"
        bus = f"{connection};UseDevelopmentEmulator=true"
        await javascript.passes(SCRIPT, bus, NODE_EXTRA_CA_CERTS=str(files.ca))
