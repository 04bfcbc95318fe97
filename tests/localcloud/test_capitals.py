"""Names with capitals, as other projects write them: in Azure an entity and a secret have no case."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from localcloud import certificates
from localcloud.access import Access, Issuer
from localcloud.addresses import HOST
from localcloud.certificates import Certificates
from localcloud.servicebus import Broker
from localcloud.servicebus.claims import by_role
from localcloud.topology import BusSubscription, BusTopic, Identity, Queue, Right, Topology
from tests.localcloud.servicebus.bus import Bus, one
from tests.localcloud.test_keyvault import opened

SENDER, RECEIVER, OWNER = (f"Azure Service Bus Data {kind}" for kind in ("Sender", "Receiver", "Owner"))
RIGHTS = {
    "Owner": [(OWNER, "queues/Orders"), ("Key Vault Secrets Officer", "secrets/*")],
    "Reader": [("Key Vault Secrets User", "secrets/OrdersKey")],
    "Teller": [(SENDER, "bus-topics/News")],
    "OnAll": [(RECEIVER, "bus-topics/News/Subscriptions/All")],
    "OnNews": [(RECEIVER, "bus-topics/News")],
}
QUEUES = {"Orders": Queue(), "Letters": Queue()}
TOPICS = {"News": BusTopic(subscriptions={"All": BusSubscription(), "Few": BusSubscription()})}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest.fixture
def access(issuer: Issuer, store: Topology) -> Access:
    ids = [each.client_id for each in store.identities.values()]
    people = {
        name: Identity(known, [Right(*right) for right in rights])
        for known, (name, rights) in zip(ids, RIGHTS.items(), strict=False)
    }
    return Access(
        issuer,
        msgspec.structs.replace(store, queues=QUEUES, bus_topics=TOPICS, identities=people, subscriptions=[]),
    )


@pytest.fixture
async def bus(tmp_path: Path, access: Access, files: Certificates) -> AsyncIterator[Bus]:
    async with (
        Broker.open(QUEUES, tmp_path / "bus.sqlite", by_role(access), topics=TOPICS) as broker,
        broker.listen(HOST, 0, files.server_context()) as port,
    ):
        yield Bus(broker, access, files, port)


async def test_a_right_on_a_queue_counts_however_its_name_is_written(bus: Bus) -> None:
    async with (
        bus.of("Owner") as owner,
        owner.get_queue_sender("Orders") as sender,
        owner.get_queue_receiver("orders") as receiver,
    ):
        await sender.send_messages(ServiceBusMessage("1"))

        assert str(await one(receiver)) == "1"
        with pytest.raises(ServiceBusError, match="Send on letters"):
            await owner.get_queue_sender("Letters").send_messages(ServiceBusMessage("2"))


@pytest.mark.parametrize("who", ["OnAll", "OnNews"])
async def test_a_right_on_a_subscription_or_on_its_topic_counts_there(bus: Bus, who: str) -> None:
    async with (
        bus.of("Teller") as teller,
        teller.get_topic_sender("News") as sender,
        bus.of(who) as listener,
        listener.get_subscription_receiver("News", "All") as receiver,
    ):
        await sender.send_messages(ServiceBusMessage("1"))

        assert str(await one(receiver)) == "1"


async def test_a_right_on_a_subscription_counts_in_no_other(bus: Bus) -> None:
    async with bus.of("OnAll") as listener:
        with pytest.raises(ServiceBusError, match="Listen on news/subscriptions/few"):
            await listener.get_subscription_receiver("News", "Few").receive_messages(1, 1)


async def test_a_right_on_a_secret_counts_however_its_name_is_written(
    tmp_path: Path, access: Access, files: Certificates
) -> None:
    async with opened(tmp_path, access, files) as vault, vault.of("Owner") as owner, vault.of("Reader") as reader:
        await owner.set_secret("OrdersKey", "one")
        await owner.set_secret("LettersKey", "two")

        read = [await reader.get_secret(name) for name in ("OrdersKey", "orderskey")]
        assert [(each.name, each.value) for each in read] == [("OrdersKey", "one")] * 2
        with pytest.raises(HttpResponseError, match="secrets/letterskey"):
            await reader.get_secret("LettersKey")
