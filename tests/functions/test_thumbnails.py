"""An image's thumbnails, made by the function from what the real Azurite keeps."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import azure.functions as func
import pytest
import pytest_asyncio
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from functions.blobs import Blobs
from functions.thumbnails import thumbnails
from libs.common.errors import Malformed
from libs.common.media import CONTAINER, SIZES, Place, place_of
from libs.common.messages import read
from libs.common.messages.catalog import AddMediaVariant, Size
from libs.common.pictures import Picture, Studio, Unfit
from localcloud import certificates, topology
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.eventgrid.filters import wants
from localcloud.store import TOPOLOGY
from tests.functions.surroundings import Queue, arrived_bytes
from tests.localcloud.programs import free_ports, running
from tests.pictures import opened, picture

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

TOOLS = Path(__file__).parents[2] / ".tools"
PLACE = Place(UUID(int=1), UUID(int=2))
NAME = PLACE.original("image/png")
FOLDER = "/blobServices/default/containers/media/blobs/"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    folder, now = tmp_path_factory.mktemp("azurite"), datetime.now(UTC)
    files = certificates.ensure(folder / "certificates", now)
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        await azurite.prepare([CONTAINER], [CONTAINER], now)
        yield azurite


@pytest_asyncio.fixture(loop_scope="module")
async def media(azurite: Azurite) -> AsyncIterator[ContainerClient]:
    """With one image in it."""
    async with AsyncExitStack() as stack:
        ca = str(azurite.certificates.ca)
        service = BlobServiceClient(azurite.blobs, azurite.key, connection_verify=ca, retry_total=0)
        media = (await stack.enter_async_context(service)).get_container_client(CONTAINER)
        for name in await names(media):
            await media.delete_blob(name)
        await media.upload_blob(NAME, picture(size=(1000, 500)))
        yield media


@pytest.fixture
def to(media: ContainerClient) -> Blobs:
    return Blobs(media, "https://media.example", Studio(seconds=40))


@pytest.fixture
def outs() -> dict[Size, Queue]:
    return {size: Queue() for size in SIZES}


async def names(media: ContainerClient) -> set[str]:
    return {name async for name in media.list_blob_names()}


def created(name: str = NAME, **other: Any) -> func.CloudEvent:
    """As Azure tells it, with its seven digits of a second."""
    event = {
        "source": "/subscriptions/s/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/store",
        "subject": FOLDER + name,
        "type": "Microsoft.Storage.BlobCreated",
        "time": "2026-06-01T12:00:00.1234567Z",
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "data": {"api": "PutBlob", "url": f"https://store.blob.core.windows.net/media/{name}"},
        "specversion": "1.0",
    }
    return arrived_bytes(json.dumps(event | other).encode())


async def test_an_image_gets_three_thumbnails_and_the_catalogue_is_told(
    to: Blobs, media: ContainerClient, outs: dict[Size, Queue]
) -> None:
    await thumbnails(created(), outs, to)

    assert await names(media) == {NAME, *map(PLACE.thumbnail, SIZES)}
    for size, pixels in (("small", (160, 80)), ("medium", (480, 240)), ("large", (1000, 500))):
        (command,) = outs[size].sent  # type: ignore[index]
        told = read(command, AddMediaVariant)
        assert (told.product_id, told.media_id, told.size) == (PLACE.product_id, PLACE.media_id, size)
        assert told.url == f"https://media.example/{PLACE.thumbnail(told.size)}"
        blob = await media.download_blob(PLACE.thumbnail(told.size))
        image, look = opened(await blob.readall()), blob.properties.content_settings
        assert (image.size, (told.width, told.height), image.format) == (pixels, pixels, "WEBP")
        assert (look.content_type, "immutable" in str(look.cache_control)) == ("image/webp", True)


async def test_a_repeat_writes_the_same_and_sends_the_same_commands(
    to: Blobs, media: ContainerClient, outs: dict[Size, Queue]
) -> None:
    for _ in range(2):
        await thumbnails(created(), outs, to)

    assert len(await names(media)) == 4
    ids = [[command.id for command in out.sent] for out in outs.values()]
    assert all(first == second for first, second in ids)
    assert len({first for first, _ in ids}) == 3


async def test_of_an_image_that_is_gone_nothing_is_made(
    to: Blobs, media: ContainerClient, outs: dict[Size, Queue]
) -> None:
    await media.delete_blob(NAME)

    await thumbnails(created(), outs, to)

    assert (await names(media), [out.sent for out in outs.values()]) == (set(), [[], [], []])


@dataclass(frozen=True)
class Deleting(Studio):
    """While it works, the image is deleted."""

    media: ContainerClient | None = None

    async def thumbnails(self, content: bytes) -> Mapping[str, Picture]:
        made = await super().thumbnails(content)
        assert self.media
        await self.media.delete_blob(NAME)
        return made


async def test_of_an_image_that_goes_meanwhile_nothing_stays(media: ContainerClient, outs: dict[Size, Queue]) -> None:
    studio = Deleting(seconds=40, media=media)

    await thumbnails(created(), outs, Blobs(media, "https://media.example", studio))

    assert (await names(media), [out.sent for out in outs.values()]) == (set(), [[], [], []])


async def test_what_can_not_be_decoded_fails_where_an_operator_sees_it(
    to: Blobs, media: ContainerClient, outs: dict[Size, Queue]
) -> None:
    await media.upload_blob(NAME, b"no image", overwrite=True)

    with pytest.raises(Unfit):
        await thumbnails(created(), outs, to)

    assert await names(media) == {NAME}


@pytest.mark.parametrize("name", [PLACE.thumbnail("small"), PLACE.original("video/mp4"), "x.png", "images/x.png"])
async def test_what_is_no_image_of_ours_is_refused(to: Blobs, outs: dict[Size, Queue], name: str) -> None:
    with pytest.raises(Malformed):
        await thumbnails(created(name), outs, to)


async def test_its_own_thumbnails_never_come_back_to_it() -> None:
    (asked,) = [each for each in topology.load(TOPOLOGY).subscriptions if each.to.function == "thumbnails"]

    def wanted(name: str, kind: str = "Microsoft.Storage.BlobCreated") -> bool:
        return wants(asked, kind, FOLDER + name)

    assert wanted(NAME)
    assert not any(wanted(PLACE.thumbnail(size)) for size in SIZES)
    assert not wanted(PLACE.original("video/mp4"))
    assert not wanted(NAME, "Microsoft.Storage.BlobDeleted")


async def test_a_name_says_whose_it_is() -> None:
    made = [PLACE.original("image/png"), PLACE.original("video/webm"), *map(PLACE.thumbnail, SIZES)]

    assert [place_of(name) for name in made] == [PLACE] * len(made)
    assert [place_of(name) for name in ("", "a.png", "images/1/2.png", f"other/{NAME[7:]}", f"{NAME}/x")] == [None] * 5
