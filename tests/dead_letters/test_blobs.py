"""Event Grid's dead letters in Azurite: listed from the blobs, delivered to whom they were for; then the blob goes."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from deploy.dead_letters.blobs import DeadContainer
from deploy.dead_letters.destinations import Destinations
from deploy.dead_letters.letters import DeadLetter, Tally, Wanted
from libs.common.errors import Unavailable
from localcloud.access import Access
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.certificates import Certificates
from tests.localcloud.eventgrid.grid import KEY, Functions
from tests.localcloud.programs import free_ports, running
from tests.localcloud.servicebus.bus import Bus, opened, received

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

TOOLS = Path(__file__).parents[2] / ".tools"
ALL = Wanted(1000)
WHY = {
    "deadletterreason": "MaxDeliveryAttemptsExceeded",
    "deliveryattempts": 30,
    "lastdeliveryoutcome": "NotFound",
    "publishtime": "2026-03-04T05:06:07.1234560Z",
}


def event(id_: str, **more: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": id_, "source": "/s", "type": "t", "time": "", "data": {"a": 1}} | more


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azurite(tmp_path_factory: pytest.TempPathFactory, files: Certificates) -> AsyncIterator[Azurite]:
    folder = tmp_path_factory.mktemp("azurite")
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        yield azurite


@dataclass(frozen=True, slots=True)
class Desk:
    container: ContainerClient
    dead: DeadContainer
    destinations: Destinations
    functions: Functions
    bus: Bus

    async def bury(self, subscription: str, *events: dict[str, object], name: str = "") -> str:
        """As Event Grid does; the blob's name."""
        blob = f"{subscription.upper()}/2026/3/4/5/{name or uuid4()}.json"
        await self.container.upload_blob(blob, json.dumps([each | WHY for each in events]).encode())
        return blob

    async def look(self, wanted: Wanted = ALL) -> list[DeadLetter]:
        return await self.dead.look(wanted, wanted.limit)

    async def replay(self, chosen: list[DeadLetter]) -> Tally:
        tally = Tally()
        await self.dead.replay(chosen, self.destinations, tally)
        return tally

    async def blobs(self) -> dict[str, list[dict[str, object]]]:
        names = [each.name async for each in self.container.list_blobs()]
        return {name: json.loads(await (await self.container.download_blob(name)).readall()) for name in names}

    async def called(self) -> tuple[str, dict[str, object]]:
        got = await self.functions.next()
        return got.function, json.loads(got.body)


@pytest_asyncio.fixture(loop_scope="module")
async def desk(azurite: Azurite, access: Access, files: Certificates, tmp_path: Path) -> AsyncIterator[Desk]:
    container = f"dead-{uuid4()}"
    await azurite.prepare([container], [], datetime.now(UTC))
    ca = str(azurite.certificates.ca)

    async def key() -> str:
        return KEY

    async with (
        BlobServiceClient(azurite.blobs, azurite.key, connection_verify=ca, retry_total=0) as blobs,
        opened(tmp_path / "servicebus.sqlite", access, files) as bus,
        Functions().running() as functions,
        aiohttp.ClientSession() as session,
        bus.of() as client,
    ):
        to = {each.name: each.to for each in access.topology.subscriptions}
        destinations = Destinations(to, client, session, functions.url.rstrip("/"), key)
        within = blobs.get_container_client(container)
        yield Desk(within, DeadContainer(within, list(to)), destinations, functions, bus)


async def refused(_: object) -> int:
    return 500


async def test_they_are_listed_with_all_that_is_known(desk: Desk) -> None:
    await desk.bury("process-order", event("e-1"), event("e-2"))

    one, two = await desk.look()

    assert (one.place, one.reason, one.deliveries) == (
        "subscription process-order",
        "MaxDeliveryAttemptsExceeded",
        30,
    )
    assert (one.at, one.description) == (
        datetime(2026, 3, 4, 5, 6, 7, 123456, UTC),
        "the last attempt ended with NotFound",
    )
    assert (one.content.id, two.content.id, one.content.gist) == ("e-1", "e-2", "{a: 1}")


async def test_only_what_is_wanted_is_listed_and_only_so_much(desk: Desk) -> None:
    await desk.bury("process-order", event("e-1"), event("e-2"))
    await desk.bury("notify-customer", event("e-3"))

    assert [letter.content.id for letter in await desk.look(Wanted(1))] == ["e-3"]
    of_one = Wanted(9, subscriptions=frozenset({"process-order"}))
    assert [letter.content.id for letter in await desk.look(of_one)] == ["e-1", "e-2"]
    assert await desk.look(Wanted(9, ids=frozenset({"e-9"}))) == []


async def test_a_function_gets_the_event_as_it_was_published_and_nobody_else_does(desk: Desk) -> None:
    await desk.bury("process-order", event("e-1", traceparent="00-a-b-01"))

    tally = await desk.replay(await desk.look())

    received = await desk.functions.next()
    assert (tally.sent, tally.good, received.function) == (1, True, "process_order")
    assert json.loads(received.body) == event("e-1", traceparent="00-a-b-01")
    assert received.headers["aeg-event-type"] == "Notification"
    assert received.headers["aeg-subscription-name"] == "PROCESS-ORDER"
    assert received.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert (desk.functions.received.empty(), await desk.blobs()) == (True, {})


async def test_a_queue_gets_it_under_the_events_own_id(desk: Desk) -> None:
    await desk.bury("orders-to-catalog", event("e-1"))

    tally = await desk.replay(await desk.look())

    async with desk.bus.of() as client, client.get_queue_receiver("catalog") as receiver:
        (message,) = await received(receiver)
    assert (tally.sent, message.message_id, await desk.blobs()) == (1, "e-1", {})
    assert json.loads(b"".join(message.body)) == event("e-1")


async def test_what_is_not_taken_stays_with_the_reason_and_the_key_is_not_in_it(desk: Desk) -> None:
    desk.functions.answer = refused
    blob = await desk.bury("process-order", event("e-1"))

    tally = await desk.replay(await desk.look())

    assert (tally.sent, tally.refused) == (0, [f"{blob}: function process_order answered 500"])
    assert list(await desk.blobs()) == [blob]


async def test_of_several_in_a_blob_those_stay_that_were_not_chosen_or_not_taken(desk: Desk) -> None:
    async def answer(received: object) -> int:
        return 500 if b"e-3" in received.body else 202  # type: ignore[attr-defined]

    desk.functions.answer = answer
    blob = await desk.bury("process-order", *(event(f"e-{number}") for number in range(4)))
    chosen = [letter for letter in await desk.look() if letter.content.id != "e-0"]

    tally = await desk.replay(chosen)

    assert (tally.sent, len(tally.refused)) == (2, 1)
    assert await desk.blobs() == {blob: [event("e-0") | WHY, event("e-3") | WHY]}


async def test_replayed_twice_it_is_delivered_once(desk: Desk) -> None:
    await desk.bury("process-order", event("e-1"))
    chosen = await desk.look()
    await desk.replay(chosen)

    tally = await desk.replay(chosen)

    assert (tally.sent, tally.gone) == (0, 1)
    assert (await desk.called(), desk.functions.received.empty()) == (("process_order", event("e-1")), True)


async def test_who_died_before_the_blob_was_gone_delivers_the_same_event_again(desk: Desk) -> None:
    for _ in range(2):
        await desk.bury("process-order", event("e-1"), name="the-same")
        await desk.replay(await desk.look())

    assert await desk.called() == await desk.called() == ("process_order", event("e-1"))


async def test_a_blob_that_was_changed_meanwhile_is_left_alone(desk: Desk) -> None:
    blob = await desk.bury("process-order", event("e-1"))

    async def answer(_: object) -> int:
        await desk.container.upload_blob(blob, json.dumps([event("e-2")]).encode(), overwrite=True)
        return 202

    desk.functions.answer = answer

    await desk.replay(await desk.look())

    assert await desk.blobs() == {blob: [event("e-2")]}


async def test_a_single_event_is_as_good_as_an_array(desk: Desk) -> None:
    await desk.container.upload_blob("PROCESS-ORDER/2026/3/4/5/x.json", json.dumps(event("e-1") | WHY).encode())

    tally = await desk.replay(await desk.look())

    assert (tally.sent, await desk.called(), await desk.blobs()) == (1, ("process_order", event("e-1")), {})


@pytest.mark.parametrize("content", [b"", b"\xff", b"1", b"[1]", b"[{}]", b"[" * 100_000, b'[{"id":5}]', b"{}"])
async def test_whatever_lies_there_is_listed_and_never_lost(desk: Desk, content: bytes) -> None:
    desk.functions.answer = refused
    await desk.container.upload_blob("PROCESS-ORDER/x.json", content)
    await desk.container.upload_blob("elsewhere/x.json", content)

    letters = await desk.look()
    tally = await desk.replay(letters)

    assert len(letters) == len(tally.refused) == 2
    assert {letter.place for letter in letters} >= {"no subscription of ours"}
    assert len([each async for each in desk.container.list_blobs()]) == 2


async def test_without_the_key_nothing_is_sent_and_all_stays(desk: Desk) -> None:
    async def away() -> str:
        raise Unavailable("the secret can't be read")

    blob = await desk.bury("process-order", event("e-1"))
    dead = DeadContainer(desk.container, ["process-order"])
    keyless = Destinations(
        desk.destinations.by_subscription, desk.destinations.bus, desk.destinations.session, "http://127.0.0.1:1", away
    )

    with pytest.raises(Unavailable):
        await dead.replay(await desk.look(), keyless, Tally())

    assert list(await desk.blobs()) == [blob]


async def test_a_container_that_is_not_there_is_no_empty_one(desk: Desk, azurite: Azurite) -> None:
    ca = str(azurite.certificates.ca)
    async with ContainerClient(azurite.blobs, "nowhere", azurite.key, connection_verify=ca) as nowhere:
        with pytest.raises(ResourceNotFoundError):
            await DeadContainer(nowhere, []).look(ALL, 1)
