"""What nobody takes becomes a blob, once, whoever is away or dies meanwhile."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from azure.storage.blob.aio import BlobServiceClient
from msgspec import Raw

from localcloud import identity
from localcloud.access import Issuer
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite, Refused
from localcloud.certificates import Certificates
from localcloud.eventgrid.container import Container, NotTaken
from localcloud.eventgrid.death import as_published, blob, content, death, events
from localcloud.eventgrid.pending import Delivery, Failure
from localcloud.subscription import Schema
from localcloud.topology import Topology
from tests.localcloud.eventgrid.grid import NOWHERE, PATIENCE, Cloud, Functions, Graves, Received, Running, event
from tests.localcloud.programs import free_ports
from tests.localcloud.programs import running as started
from tests.waiting import so

pytestmark = pytest.mark.real

TOOLS = Path(__file__).parents[3] / ".tools"
NAME = re.compile(r"PROCESS-ORDER/\d{4}/[1-9]\d?/[1-9]\d?/(0|[1-9]\d?)/[0-9a-f-]{36}\.json")
EARLY = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


async def refused(_: Received) -> int:
    return 400


async def publish(running: Running, *numbers: int) -> None:
    async with running.topic("orders") as topic:
        await topic.send([event(number) for number in numbers])


def test_name_and_content_are_as_in_azure() -> None:
    published = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"b":1.50,"a":1e3},"x":"\xc3\xbc"}'
    delivery = Delivery(7, "3f0c0f6c", published, since=EARLY.timestamp() - 60, due=0.0, attempts=30)

    written = content(
        delivery, "cloudevents", "MaxDeliveryAttemptsExceeded", Failure("NotFound", 404, EARLY.timestamp())
    )

    assert blob("process-order", "3f0c0f6c", EARLY) == "PROCESS-ORDER/2026/3/4/5/3f0c0f6c.json"
    assert json.loads(written) == [
        json.loads(published)
        | {
            "deadletterreason": "MaxDeliveryAttemptsExceeded",
            "deliveryattempts": 30,
            "lastdeliveryoutcome": "NotFound",
            "publishtime": "2026-03-04T05:05:07.0000890Z",
            "lastdeliveryattempttime": "2026-03-04T05:06:07.0000890Z",
            "lasthttpstatuscode": 404,
        }
    ]
    assert b'"data":{"b":1.50,"a":1e3}' in written


@pytest.mark.parametrize("schema", ["cloudevents", "eventgrid"])
def test_what_is_written_is_read_again_as_it_was_published(schema: Schema) -> None:
    published = b'{"id":"1","eventType":"t","data":{"b":1.50,"deadLetterReason":"mine"}}'
    delivery = Delivery(7, "3f0c0f6c", published, since=EARLY.timestamp() - 60, due=0.0, attempts=30)

    (event,) = events(content(delivery, schema, "TimeToLiveExceeded", Failure("NotFound", 404, EARLY.timestamp())))

    known = death(event)
    assert as_published(event) == published
    assert (known.reason, known.outcome, known.deliveries) == ("TimeToLiveExceeded", "NotFound", 30)
    assert (known.at, known.status) == (EARLY, 404)


def test_one_that_was_never_tried_says_when_it_was_published_and_no_status() -> None:
    delivery = Delivery(7, "m", b'{"id":"1"}', since=EARLY.timestamp(), due=0.0, attempts=0)

    (event,) = events(content(delivery, "cloudevents", "TimeToLiveExceeded", None))

    known = death(event)
    assert (known.outcome, known.deliveries, known.status) == ("Probation", 0, None)
    assert (known.at, known.attempted) == (EARLY, "")


@pytest.mark.parametrize(
    ("said", "deliveries"),
    [("7", 7), ('"7"', 7), ('"\u00b2"', 0), ("-1", 0), ("9" * 4_300, 0), (f'"{"9" * 5_000}"', 0)],
)
def test_whatever_a_blob_says_of_attempts_is_read(said: str, deliveries: int) -> None:
    assert death(Raw(b'{"deliveryattempts":%s}' % said.encode())).deliveries == deliveries


async def test_while_storage_is_away_dead_letters_wait_and_then_come_once_each(
    cloud: Cloud, functions: Functions
) -> None:
    functions.answer, cloud.graves.away = refused, True
    async with cloud.running(functions.address) as running:
        await publish(running, 1, 2)
        before = await running.until("process-order", lambda state: state.dead == 2)
        await so(lambda: cloud.graves.refused > 0, seconds=PATIENCE)

        cloud.graves.away = False
        await running.until("process-order", lambda state: state.unburied == 0)

    assert (before.pending, before.unburied) == (0, 2)
    assert sorted(each["id"] for each in cloud.graves.events()) == ["e-1", "e-2"]
    assert all(NAME.fullmatch(name) for name in cloud.graves.written)


async def test_what_waits_for_storage_at_a_restart_is_written_after_it(cloud: Cloud, functions: Functions) -> None:
    functions.answer, cloud.graves.away = refused, True
    async with cloud.running(functions.address) as running:
        await publish(running, 1)
        await running.until("process-order", lambda state: state.dead == 1)

    cloud.graves.away = False
    async with cloud.running(NOWHERE) as running:
        after = await running.until("process-order", lambda state: state.unburied == 0)

    assert (after.pending, [each["id"] for each in cloud.graves.events()]) == (0, ["e-1"])


async def test_who_dies_after_the_blob_is_written_writes_the_same_one_again(cloud: Cloud, functions: Functions) -> None:
    functions.answer = refused
    dying = Dying()
    async with replace(cloud, graves=dying).running(functions.address) as running:
        await publish(running, 1)
        await so(lambda: bool(dying.written), seconds=PATIENCE)
        assert running.state("process-order").unburied == 1

    async with cloud.running(NOWHERE) as running:
        await running.until("process-order", lambda state: state.unburied == 0)

    assert cloud.graves.written == dying.written


class Dying(Graves):
    """Takes the blob, and whoever brought it never hears of that."""

    async def put(self, name: str, content: bytes) -> None:
        await super().put(name, content)
        await asyncio.Event().wait()


@asynccontextmanager
async def storage(folder: Path, files: Certificates) -> AsyncIterator[Azurite]:
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with started(azurite.program(TOOLS), folder / "azurite.log"):
        yield azurite


async def test_azurite_takes_them_once_it_has_the_container(
    tmp_path: Path, cloud: Cloud, functions: Functions, issuer: Issuer, store: Topology
) -> None:
    functions.answer = refused

    def token() -> str:
        who = store.identities["operator"]
        return identity.identity_token(issuer, store, who, resource=identity.STORAGE, at=datetime.now(UTC))

    async with storage(tmp_path, cloud.files) as azurite:
        url = f"{azurite.blobs}/{store.dead_letters}"
        async with Container.open(url, cloud.files.client_context(), token) as container:
            with pytest.raises(NotTaken, match="404"):
                await container.put("x", b"[]")
            await azurite.prepare([store.dead_letters], [], datetime.now(UTC))

            async with replace(cloud, graves=container).running(functions.address) as running:  # type: ignore[arg-type]
                await publish(running, *range(3))
                await running.until("process-order", lambda state: state.dead == 3 and state.unburied == 0)

        names = await listed(azurite, store.dead_letters)
        assert len(names) == 3
        assert all(NAME.fullmatch(name) for name in names)
        assert {each["id"] for name in names for each in await read(azurite, store.dead_letters, name)} == {
            "e-0",
            "e-1",
            "e-2",
        }
        with pytest.raises(Refused, match="ContainerNotFound"):
            await listed(azurite, "nowhere")


async def test_the_audit_counts_more_blobs_than_one_answer_holds(tmp_path: Path, files: Certificates) -> None:
    async with storage(tmp_path, files) as azurite, blobs_of(azurite) as blobs:
        await azurite.prepare(["many"], [], datetime.now(UTC))
        names = [f"A&B/{number}" for number in range(5)]
        for name in names:
            await blobs.get_blob_client("many", name).upload_blob(b"")

        assert await listed(azurite, "many", page=2) == names


def blobs_of(azurite: Azurite) -> BlobServiceClient:
    return BlobServiceClient(azurite.blobs, azurite.key, connection_verify=str(azurite.certificates.ca))


async def listed(azurite: Azurite, container: str, page: int = 5000) -> list[str]:
    async with aiohttp.ClientSession() as session:
        return await azurite.blobs_in(session, container, datetime.now(UTC), page=page)


async def read(azurite: Azurite, container: str, name: str) -> list[dict[str, object]]:
    async with blobs_of(azurite) as blobs:
        events: list[dict[str, object]] = json.loads(
            await (await blobs.get_blob_client(container, name).download_blob()).readall()
        )
        return events
