"""Images and videos of products through the service, kept in the real Azurite."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from libs.common.errors import NotFound, StoreError, Unavailable
from libs.common.media import Place
from libs.common.messages import CloudEvent
from libs.common.pictures import Studio
from libs.common.postgres import Postgres
from localcloud.azurite import Azurite
from services.catalog.domain import MOST_MEDIA
from services.catalog.gallery import VIDEOS_AT_ONCE, Gallery
from services.catalog.media import MOST_VIDEO_BYTES
from services.catalog.routes import arrivals
from tests.catalog.conftest import Client, Headers, names
from tests.pictures import MP4, WEBM, animated, bomb, opened, picture
from tests.waiting import until

pytestmark = pytest.mark.real

PNG = picture()
LARGE = 25 * 1024 * 1024  # of a video, for a test


async def upload(client: Client, staff: Headers, path: str, content: Any = PNG, kind: str = "image/png") -> Any:
    body = BytesIO(content) if isinstance(content, bytes) else content
    return await client.post(f"{path}/media", data=body, headers=staff | {"Content-Type": kind})


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
    assert (media["content_type"], media["variants"]) == ("image/png", [])
    assert await product(client, path) == body
    assert await told(database) == ["product-created", "product-updated"]
    async with (
        aiohttp.ClientSession() as anyone,
        anyone.get(media["url"], ssl=azurite.certificates.client_context()) as image,
    ):
        assert (opened(await image.read()).size, image.content_type) == ((40, 30), "image/png")
        assert "immutable" in image.headers["Cache-Control"]


async def test_nothing_of_an_image_is_stored_but_its_pixels(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    script = b"<script>alert(1)</script>"

    assert (await upload(client, staff, path, picture("JPEG", comment=script) + script, "image/jpeg")).status == 201

    (name,) = await names(container)
    assert script not in await (await container.download_blob(name)).readall()


async def test_a_video_arrives_whole_block_by_block(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    content = MP4.ljust(LARGE, b"x")

    answer = await upload(client, staff, path, content, "video/mp4")

    (media,) = (await answer.json())["media"]
    (name,) = await names(container)
    assert (answer.status, media["content_type"], media["url"].endswith(name)) == (201, "video/mp4", True)
    stored = await container.download_blob(name)
    assert await stored.readall() == content
    assert stored.properties.content_settings.content_type == "video/mp4"
    known = await container.get_blob_client(name).get_block_list()
    assert [block.size for block in known[0]][:-1] == [arrivals.BLOCK_BYTES] * (LARGE // arrivals.BLOCK_BYTES)


async def test_what_was_deleted_is_gone_from_the_product_and_from_storage_with_its_thumbnails(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    first, second = (await (await upload(client, staff, path)).json(), await (await upload(client, staff, path)).json())
    media = first["media"][0]
    place = Place(UUID(first["id"]), UUID(media["id"]))
    await container.upload_blob(place.thumbnail("small"), b"x")

    deleted = await client.delete(f"{path}/media/{media['id']}", headers=staff)
    again = await client.delete(f"{path}/media/{media['id']}", headers=staff)

    assert (deleted.status, again.status) == (204, 404)
    assert (await product(client, path))["media"] == second["media"][1:]
    (name,) = await names(container)
    assert second["media"][1]["url"].endswith(name)


async def test_a_deleted_product_takes_its_media_along(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    for _ in range(2):
        await upload(client, staff, path)
    await upload(client, staff, path, WEBM, "video/webm")

    answer = await client.delete(path, headers=staff | {"If-Match": '"v4"'})

    assert (answer.status, await names(container)) == (204, [])


async def test_what_the_product_does_not_take_leaves_nothing(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    for _ in range(MOST_MEDIA):
        assert (await upload(client, staff, path, WEBM, "video/webm")).status == 201

    refused = await upload(client, staff, path)

    assert (refused.status, (await refused.json())["title"]) == (409, "Too many media")
    kept = {media["url"].removeprefix(f"{container.url}/") for media in (await product(client, path))["media"]}
    assert set(await names(container)) == kept


@pytest.mark.parametrize(("error", "left"), [(NotFound(), 0), (Unavailable(), 1)])
async def test_a_blob_stays_only_where_its_product_may_have_it(
    blobs: BlobServiceClient, container: ContainerClient, error: StoreError, left: int
) -> None:
    gallery = Gallery(blobs, "https://media.example", Studio(seconds=40))
    media = gallery.media(Place(uuid4(), uuid4()), "image/png")

    with pytest.raises(type(error)):
        async with gallery.kept(media, gallery.image(PNG, "image/png")):
            raise error

    assert len(await names(container)) == left


async def test_the_client_has_no_say_in_the_name(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    headers = staff | {"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="../x.html"'}

    await client.post(f"{path}/media?name={uuid4()}", data=PNG, headers=headers)

    (name,) = await names(container)
    folder, owner, file = name.split("/")
    assert (folder, owner, len(file.removesuffix(".png"))) == ("images", UUID(path.rpartition("/")[2]).hex, 32)


BAD: dict[str, tuple[bytes, str, int]] = {
    "an image bomb": (bomb(30_000, 30_000), "image/png", 422),
    "an animation": (animated(), "image/webp", 422),
    "an image that is cut off": (picture("JPEG", size=(300, 300))[:1500], "image/jpeg", 422),
    "an image of another type": (PNG, "image/jpeg", 422),
    "a script": (b"#!/bin/sh", "video/mp4", 422),
    "a picture of a phone, which begins as a video does": (b"\0\0\0\x18ftypheic".ljust(64, b"\0"), "video/mp4", 422),
    "Matroska": (WEBM.replace(b"webm", b"mkv "), "video/webm", 422),
    "nothing": (b"", "video/webm", 422),
    "a page": (b"<html>", "text/html", 415),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_media_is_refused_and_leaves_no_blob(
    client: Client, staff: Headers, path: str, container: ContainerClient, name: str
) -> None:
    content, kind, status = BAD[name]

    answer = await upload(client, staff, path, content, kind)

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert (await names(container), (await product(client, path))["version"]) == ([], 1)


async def video(size: int) -> AsyncIterator[bytes]:
    """In chunks: nobody knows how many will come."""
    yield MP4
    for _ in range(size // 65536):
        yield bytes(65536)


async def test_a_video_that_is_too_large_is_refused_and_leaves_no_blob(
    client: Client, staff: Headers, path: str, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.catalog.media.MOST_VIDEO_BYTES", LARGE)

    said = await client.post(
        f"{path}/media",
        data=video(0),
        headers=staff
        | {"Content-Type": "video/mp4", "Content-Length": str(MOST_VIDEO_BYTES + 1), "Connection": "close"},
    )
    unsaid = await upload(client, staff, path, video(LARGE + 65536), "video/mp4")

    assert (said.status, unsaid.status, await names(container)) == (413, 413, [])


async def cut_off(client: Client, staff: Headers, path: str, kind: str, begins: bytes) -> None:
    address = urlsplit(str(client.make_url("/")))
    head = f"POST {path}/media HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {LARGE}\r\n"
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"{head}Authorization: {staff['Authorization']}\r\n\r\n".encode() + begins)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_a_video_that_is_cut_off_leaves_no_blob_and_frees_its_place(
    client: Client, staff: Headers, path: str, container: ContainerClient
) -> None:
    for _ in range(VIDEOS_AT_ONCE + 1):
        await cut_off(client, staff, path, "video/mp4", MP4.ljust(2 * arrivals.BLOCK_BYTES, b"x"))

    async def one_more() -> Any:
        return await upload(client, staff, path, WEBM, "video/webm")

    answer = await until(one_more, lambda answer: answer.status != 503)
    assert (answer.status, len(await names(container))) == (201, 1)
    assert (await product(client, path))["version"] == 2


async def test_a_body_that_trickles_is_given_up(
    client: Client, staff: Headers, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SILENCE_SECONDS", 0.05)
    goes_on = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield MP4
        await goes_on.wait()

    answer = await upload(client, staff, path, silent(), "video/mp4")

    goes_on.set()
    assert (answer.status, (await answer.json())["detail"]) == (400, "the body did not come in in time")


async def test_an_attempt_that_comes_too_late_refuses_itself(
    client: Client, staff: Headers, path: str, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.catalog.gallery.COMMIT_WITHIN", timedelta(seconds=-1))

    answer = await upload(client, staff, path, WEBM, "video/webm")

    assert (answer.status, await names(container)) == (408, [])
