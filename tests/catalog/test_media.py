"""Images of products, kept in the real Azurite."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from libs.common import http
from libs.common.auth import Role, Verifier
from libs.common.cursors import Cursors
from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.messages import CloudEvent
from libs.common.postgres import Postgres
from localcloud import certificates
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from services.catalog.domain import MOST_MEDIA
from services.catalog.images import CONTAINER, Images
from services.catalog.routes import CURSORS, IMAGES, STORE, routes
from services.catalog.store import migrate, open_store
from tests.localcloud.programs import free_ports, running
from tests.tokens import Tokens

pytestmark = pytest.mark.real

TOOLS = Path(__file__).parents[2] / ".tools"
Client = TestClient[web.Request, web.Application]
Headers = dict[str, str]
PNG, WEBP = b"\x89PNG\r\n\x1a\n...", b"RIFF\x00\x00\x00\x00WEBPVP8 "


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    folder, now = tmp_path_factory.mktemp("azurite"), datetime.now(UTC)
    files = certificates.ensure(folder / "certificates", now)
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        await azurite.prepare([CONTAINER], [CONTAINER], now)
        yield azurite


@pytest.fixture
async def container(azurite: Azurite) -> AsyncIterator[ContainerClient]:
    """Empty."""
    ca = str(azurite.certificates.ca)
    async with BlobServiceClient(azurite.blobs, azurite.key, connection_verify=ca, retry_total=0) as blobs:
        container = blobs.get_container_client(CONTAINER)
        for name in await names(container):
            await container.delete_blob(name)
        yield container


@pytest.fixture
async def client(
    verifier: Verifier, database: Postgres, azurite: Azurite, container: ContainerClient
) -> AsyncIterator[Client]:
    app = http.application(routes, verifier, database.ping)
    await migrate(database)
    app[STORE], app[CURSORS] = await open_store(database), Cursors(b"key")
    app[IMAGES] = Images(container, f"{azurite.blobs}/{CONTAINER}")
    async with TestClient(TestServer(app)) as connected:
        yield connected


@pytest.fixture
def staff(tokens: Tokens) -> Headers:
    return tokens.bearer(Role.ADMIN)


@pytest.fixture
async def path(client: Client, staff: Headers) -> str:
    """Of a product."""
    lamp = {"name": "Lamp", "sku": "LAMP", "price": 4900, "currency": "EUR"}
    return (await client.post("/api/products", json=lamp, headers=staff)).headers["Location"]


async def names(container: ContainerClient) -> list[str]:
    return [name async for name in container.list_blob_names()]


async def upload(client: Client, staff: Headers, path: str, content: bytes = PNG, kind: str = "image/png") -> Any:
    return await client.post(f"{path}/media", data=BytesIO(content), headers=staff | {"Content-Type": kind})


async def product(client: Client, path: str) -> Any:
    return await (await client.get(path)).json()


async def told(database: Postgres) -> list[str]:
    rows = await database.fetch("SELECT event FROM outbox ORDER BY seq")
    return [CloudEvent.decode(row["event"]).type.split(".")[2] for row in rows]


async def test_an_image_is_stored_and_anyone_reads_it_where_the_product_says(
    client: Client, staff: Headers, path: str, azurite: Azurite, database: Postgres
) -> None:
    answer = await upload(client, staff, path)

    body = await answer.json()
    (media,) = body["media"]
    assert (answer.status, answer.headers["ETag"], answer.headers["Location"]) == (201, '"v2"', media["url"])
    assert (media["content_type"], await product(client, path)) == ("image/png", body)
    assert await told(database) == ["product-created", "product-updated"]
    async with (
        aiohttp.ClientSession() as anyone,
        anyone.get(media["url"], ssl=azurite.certificates.client_context()) as image,
    ):
        assert (await image.read(), image.content_type) == (PNG, "image/png")
        assert "immutable" in image.headers["Cache-Control"]


@pytest.mark.filterwarnings("ignore:Sending a large body")  # by the SDK
async def test_five_megabytes_arrive_whole(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    content = WEBP.ljust(5 * 1024 * 1024, b"x")

    assert (await upload(client, staff, path, content, "image/webp")).status == 201

    (name,) = await names(container)
    assert await (await container.download_blob(name)).readall() == content


async def test_a_deleted_image_is_gone_from_the_product_and_from_storage(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    first, second = (await (await upload(client, staff, path)).json(), await (await upload(client, staff, path)).json())
    media = first["media"][0]

    deleted = await client.delete(f"{path}/media/{media['id']}", headers=staff)
    again = await client.delete(f"{path}/media/{media['id']}", headers=staff)

    assert (deleted.status, again.status) == (204, 404)
    assert (await product(client, path))["media"] == second["media"][1:]
    assert await names(container) == [second["media"][1]["url"].rpartition("/")[2]]


async def test_a_deleted_product_takes_its_images_along(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    for _ in range(3):
        await upload(client, staff, path)

    answer = await client.delete(path, headers=staff | {"If-Match": '"v4"'})

    assert (answer.status, await names(container)) == (204, [])


async def test_an_image_that_the_product_does_not_take_leaves_nothing(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    answers = await asyncio.gather(*(upload(client, staff, path) for _ in range(5)))
    while len(await names(container)) < MOST_MEDIA:
        answers.append(await upload(client, staff, path))

    refused = await upload(client, staff, path)

    assert (refused.status, (await refused.json())["title"]) == (409, "Too many media")
    kept = {media["url"].rpartition("/")[2] for media in (await product(client, path))["media"]}
    assert set(await names(container)) == kept
    assert {answer.status for answer in answers} == {201}


@pytest.mark.parametrize(("error", "left"), [(NotFound(), 0), (Unavailable(), 1)])
async def test_an_image_stays_only_where_its_product_may_have_it(
    container: ContainerClient, error: StoreError, left: int
) -> None:
    images = Images(container, "https://media.example")

    with pytest.raises(type(error)):
        async with images.kept(images.media(uuid4(), "image/png"), PNG):
            raise error

    assert len(await names(container)) == left


async def test_the_client_has_no_say_in_the_name(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    headers = staff | {"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="../x.html"'}

    await client.post(f"{path}/media?name={uuid4()}", data=PNG, headers=headers)

    (name,) = await names(container)
    assert name.removesuffix(".png").isalnum()
    assert len(name) == 36
