"""What nothing names is collected, and nothing that is or is about to be: on every engine, with the real Azurite."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from structlog.testing import capture_logs

from libs.common.database import Database
from libs.common.media import Place
from services.catalog.domain import Details, Media, Product
from services.catalog.gallery import COMMIT_WITHIN, Gallery, Overdue, in_time
from services.catalog.orphans import EVERY, FEW, GRACE, MARKER, Collector, collect, taken_turn
from services.catalog.store import Store, migrate, open_store
from tests.catalog.conftest import names
from tests.pictures import WEBM
from tests.waiting import until

pytestmark = pytest.mark.real

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LAMP, DESK, CHAIR = UUID(int=1), UUID(int=2), UUID(int=3)
KIND = "video/webm"
LATER = GRACE + timedelta(minutes=5)
MOMENTS = [timedelta(0), COMMIT_WITHIN / 2, 2 * COMMIT_WITHIN, GRACE - COMMIT_WITHIN, LATER, 2 * GRACE]
PRODUCTS = (LAMP, DESK, CHAIR)
SEEDS = range(3)


@pytest.fixture
async def store(any_database: Database) -> Store:
    await migrate(any_database)
    opened = await open_store(any_database)
    for product_id in PRODUCTS:
        await opened.add(Product(product_id, Details(str(product_id), "A thing", "", 100, "EUR", None)), NOON)
    return opened


@pytest.fixture
def gallery(blobs: BlobServiceClient) -> Gallery:
    return Gallery(blobs, "https://media.example")


@dataclass(slots=True)
class Clock:
    now: datetime


async def blocks() -> AsyncIterator[bytes]:
    yield WEBM


async def show(store: Store, gallery: Gallery, product_id: UUID, clock: Clock, goes_on: asyncio.Event) -> None:
    """As routes/media.py does it; between blob and commit it waits."""
    media, begun = gallery.media(Place(product_id, uuid4()), KIND), clock.now
    async with gallery.kept(media, gallery.video(blocks(), KIND)):
        await goes_on.wait()
        await store.change(product_id, lambda product: product.show(media, in_time(begun, clock.now)))


async def shown(store: Store, gallery: Gallery, product_id: UUID = LAMP) -> Media:
    goes_on = asyncio.Event()
    goes_on.set()
    await show(store, gallery, product_id, Clock(datetime.now(UTC)), goes_on)
    return (await store.read(product_id)).media[-1]


async def left_over(container: ContainerClient, product_id: UUID = LAMP) -> str:
    name = Place(product_id, uuid4()).original("image/png")
    await container.upload_blob(name, b"x")
    return name


async def sweep(store: Store, blobs: BlobServiceClient, at: datetime) -> None:
    async with taken_turn(blobs, at) as turn:
        assert turn
        await Collector(store, blobs, asyncio.Event(), pause=0).sweep(at, turn)


async def named(store: Store) -> set[str]:
    found = [(await store.read(product_id)).media for product_id in PRODUCTS]
    return {each.url.removeprefix("https://media.example/") for media in found for each in media}


async def test_what_nobody_names_goes_when_it_is_old_and_what_is_named_stays(
    store: Store, blobs: BlobServiceClient, container: ContainerClient, gallery: Gallery
) -> None:
    await shown(store, gallery)
    media = await shown(store, gallery, DESK)
    thumbnail = Place(DESK, media.id).thumbnail("small")
    for name in (thumbnail, Place(DESK, uuid4()).thumbnail("small"), "0123.png"):
        await container.upload_blob(name, b"x")
    for product_id in (LAMP, uuid4()):
        await left_over(container, product_id)
    before, at = set(await names(container)), datetime.now(UTC)

    await sweep(store, blobs, at + GRACE - timedelta(minutes=5))
    assert set(await names(container)) == before

    await sweep(store, blobs, at + GRACE + EVERY)
    assert set(await names(container)) == await named(store) | {
        thumbnail,
        "0123.png",
    }  # whose is that?


async def test_the_media_of_what_is_deleted_are_found_by_their_names(
    store: Store, blobs: BlobServiceClient, container: ContainerClient, gallery: Gallery
) -> None:
    """As if the process had died between the commit and the blobs."""
    await shown(store, gallery)
    hidden = await shown(store, gallery, DESK)
    await store.change(LAMP, lambda product: product.delete(NOON))
    await store.change(DESK, lambda product: product.hide(hidden.id, NOON))

    await sweep(store, blobs, datetime.now(UTC) + LATER)

    assert await names(container) == []


async def test_uploads_that_were_never_completed_go(
    store: Store, blobs: BlobServiceClient, uploads: ContainerClient
) -> None:
    for n in range(3):
        await uploads.upload_blob(f"{LAMP.hex}/{n}", b"x")

    await sweep(store, blobs, datetime.now(UTC))
    assert len(await names(uploads)) == 3 + 1

    await sweep(store, blobs, datetime.now(UTC) + LATER)
    assert await names(uploads) == [MARKER]


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_about_to_be_named_is_never_collected_whenever_its_commit_comes(
    store: Store, blobs: BlobServiceClient, container: ContainerClient, gallery: Gallery, seed: int
) -> None:
    """Sweeps race with commits, on a clock that runs from the blobs' birth to two days after."""
    chance, begun = random.Random(seed), datetime.now(UTC)
    clock, gates = Clock(begun), [asyncio.Event() for _ in range(FEW - 1)]
    turns, owners = [chance.choice(MOMENTS) for _ in gates], [chance.choice(PRODUCTS) for _ in gates]
    attempts = [
        asyncio.create_task(show(store, gallery, owner, clock, gate)) for owner, gate in zip(owners, gates, strict=True)
    ]
    await until(lambda: names(container), lambda found: len(found) == len(gates))

    async with taken_turn(blobs, begun) as turn:
        assert turn
        for moment in MOMENTS:
            clock.now = begun + moment
            sweeping = asyncio.create_task(Collector(store, blobs, asyncio.Event(), pause=0).sweep(clock.now, turn))
            now = [n for n, its in enumerate(turns) if its == moment]
            for n in now:
                gates[n].set()
            await asyncio.wait([sweeping, *(attempts[n] for n in now)])  # else the clock may overtake a slow commit
            await sweeping
    ended = await asyncio.gather(*attempts, return_exceptions=True)

    assert set(await names(container)) == await named(store)
    assert [type(each) for each in ended] == [type(None) if its <= COMMIT_WITHIN else Overdue for its in turns]


async def test_where_more_is_nobodys_than_somebodys_nothing_is_deleted(
    store: Store, blobs: BlobServiceClient, container: ContainerClient, gallery: Gallery
) -> None:
    """As where the store's URL is that of another, empty one."""
    await shown(store, gallery)
    for _ in range(FEW + 1):
        await left_over(container)

    with capture_logs() as logs:
        await sweep(store, blobs, datetime.now(UTC) + LATER)

    assert len(await names(container)) == FEW + 2
    assert ("orphans.suspicious", "error") in [(each["event"], each["log_level"]) for each in logs]


async def test_what_is_deleted_was_said_before(
    store: Store, blobs: BlobServiceClient, container: ContainerClient
) -> None:
    name = await left_over(container)

    with capture_logs() as logs:
        await sweep(store, blobs, datetime.now(UTC) + LATER)

    said = [each["event"] for each in logs if each["event"].startswith("orphan")]
    assert said == ["orphans.found", "orphan.deleted"]
    assert [each["names"] for each in logs if each["event"] == "orphans.found"] == [[name]]


async def test_one_at_a_time_and_not_too_often(blobs: BlobServiceClient) -> None:
    at = datetime.now(UTC)

    async with taken_turn(blobs, at) as first, taken_turn(blobs, at) as second:
        assert (first is not None, second) == (True, None)
    async with taken_turn(blobs, at + EVERY / 2) as early:
        assert early is None
    async with taken_turn(blobs, at + EVERY) as due:
        assert due is not None


async def test_a_sweep_that_fails_is_made_again(blobs: BlobServiceClient) -> None:
    at = datetime.now(UTC)

    with pytest.raises(ResourceExistsError):
        async with taken_turn(blobs, at):
            raise ResourceExistsError

    async with taken_turn(blobs, at) as again:
        assert again is not None


async def test_the_loop_ends_when_it_shall(store: Store, blobs: BlobServiceClient) -> None:
    stop = asyncio.Event()
    stop.set()

    await collect(Collector(store, blobs, stop), chance=random.Random(1))
