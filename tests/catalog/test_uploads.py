"""Direct uploads: past the service, with a signature that Azurite checks, and then completed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import aiohttp
import pytest
from azure.storage.blob.aio import ContainerClient

from localcloud.azurite import Azurite
from services.catalog.domain import MOST_MEDIA
from services.catalog.media import MOST_IMAGE_BYTES, MOST_VIDEO_BYTES
from tests.catalog.conftest import Client, Headers, names
from tests.pictures import MP4, WEBM, bomb, picture

pytestmark = pytest.mark.real

PNG = picture()


@pytest.fixture
async def anyone(azurite: Azurite) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody with no credentials."""
    connector = aiohttp.TCPConnector(ssl=azurite.certificates.client_context())
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def begin(client: Client, staff: Headers, path: str, kind: str = "image/png", size: int = 100) -> Any:
    wanted = {"content_type": kind, "size": size}
    answer = await client.post(f"{path}/media/uploads", json=wanted, headers=staff)
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store"), await answer.text()
    return await answer.json()


async def put(anyone: aiohttp.ClientSession, upload: Any, content: bytes = PNG, **headers: str) -> int:
    async with anyone.request(
        upload["method"], upload["url"], data=BytesIO(content), headers=upload["headers"] | headers
    ) as answer:
        return answer.status


async def complete(client: Client, staff: Headers, upload: Any) -> Any:
    return await client.post(upload["complete"], headers=staff)


async def product(client: Client, path: str) -> Any:
    return await (await client.get(path)).json()


@pytest.mark.parametrize(("kind", "content"), [("image/png", PNG), ("video/mp4", MP4.ljust(5_000_000, b"x"))])
async def test_what_was_uploaded_past_us_is_shown_once_it_is_complete(
    client: Client,
    staff: Headers,
    path: str,
    anyone: aiohttp.ClientSession,
    uploads: ContainerClient,
    *,
    kind: str,
    content: bytes,
) -> None:
    upload = await begin(client, staff, path, kind, len(content))
    assert await put(anyone, upload, content) == 201

    answer = await complete(client, staff, upload)

    (media,) = (await answer.json())["media"]
    assert (answer.status, media["upload_id"], media["content_type"]) == (201, upload["id"], kind)
    assert await names(uploads) == []
    async with anyone.get(media["url"]) as shown:
        assert (shown.status, shown.content_type) == (200, kind)
        assert "immutable" in shown.headers["Cache-Control"]
        assert kind == "image/png" or await shown.read() == content


async def test_what_the_uploader_says_of_a_video_is_not_passed_on(
    client: Client, staff: Headers, path: str, anyone: aiohttp.ClientSession
) -> None:
    upload = await begin(client, staff, path, "video/webm")
    said = {"x-ms-meta-name": "ada", "x-ms-blob-content-disposition": "attachment", "x-ms-blob-content-encoding": "br"}
    assert await put(anyone, upload, WEBM, **said) == 201

    (media,) = (await (await complete(client, staff, upload)).json())["media"]

    async with anyone.get(media["url"]) as shown:
        assert not {"x-ms-meta-name", "Content-Disposition", "Content-Encoding"} & set(shown.headers)
        assert await shown.read() == WEBM


async def test_a_signature_is_good_for_one_blob_once_and_for_nothing_else(
    client: Client, staff: Headers, path: str, anyone: aiohttp.ClientSession, azurite: Azurite
) -> None:
    upload = await begin(client, staff, path)
    signature = urlsplit(upload["url"]).query
    elsewhere = f"{azurite.blobs}/uploads/{uuid4().hex}/{uuid4().hex}?{signature}"
    public = f"{azurite.blobs}/media/images/x.png?{signature}"
    listing = f"{azurite.blobs}/uploads?restype=container&comp=list&{signature}"

    assert await put(anyone, upload | {"url": elsewhere}) == 403
    assert await put(anyone, upload | {"url": public}) == 403
    assert await put(anyone, upload) == 201
    assert await put(anyone, upload, picture(size=(9, 9))) in (403, 409)
    for url in (upload["url"], listing, upload["url"].partition("?")[0]):
        async with anyone.get(url) as answer:
            assert answer.status in (403, 404)
    async with anyone.delete(upload["url"]) as answer:
        assert answer.status == 403


async def test_a_signature_says_who_signs_and_ends_within_minutes(client: Client, staff: Headers, path: str) -> None:
    upload = await begin(client, staff, path)

    said = {name: value for name, (value,) in parse_qs(urlsplit(upload["url"]).query).items()}

    assert (said["sp"], said["sr"], said["spr"], said["se"]) == ("c", "b", "https", upload["expires_at"])
    assert {"skoid", "sktid", "skt", "ske", "sig"} <= set(said)  # a user delegation key, no account's


async def test_after_its_end_a_signature_opens_nothing(
    client: Client, staff: Headers, path: str, anyone: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.catalog.routes.uploads.LIFETIME", timedelta(seconds=-5))
    upload = await begin(client, staff, path)

    assert await put(anyone, upload) == 403


async def test_it_is_completed_once_however_often_it_is_said(
    client: Client,
    staff: Headers,
    path: str,
    anyone: aiohttp.ClientSession,
    container: ContainerClient,
    uploads: ContainerClient,
) -> None:
    upload = await begin(client, staff, path)
    await put(anyone, upload)

    answers = await asyncio.gather(*(complete(client, staff, upload) for _ in range(4)))
    answers.append(await complete(client, staff, upload))

    (media,) = (await product(client, path))["media"]
    assert {answer.status for answer in answers} <= {200, 201, 404}  # 404: the upload went while this one looked
    assert answers[-1].status == 200
    assert [f"{container.url}/{name}" for name in await names(container)] == [media["url"]]
    assert await names(uploads) == []


async def test_completed_and_deleted_it_does_not_come_back(
    client: Client, staff: Headers, path: str, anyone: aiohttp.ClientSession, container: ContainerClient
) -> None:
    upload = await begin(client, staff, path)
    await put(anyone, upload)
    (media,) = (await (await complete(client, staff, upload)).json())["media"]

    await client.delete(f"{path}/media/{media['id']}", headers=staff)

    assert (await complete(client, staff, upload)).status == 404
    assert ((await product(client, path))["media"], await names(container)) == ([], [])


BAD: dict[str, tuple[str, bytes, str, int]] = {
    "an image bomb": ("image/png", bomb(30_000, 30_000), "image/png", 422),
    "too large for an image": ("image/png", PNG.ljust(MOST_IMAGE_BYTES + 1, b"x"), "image/png", 413),
    "another type than it says": ("image/png", b"GIF89a", "image/png", 422),
    "a type that we do not take": ("image/png", b"<svg/>", "image/svg+xml", 415),
    "cut off": ("image/jpeg", picture("JPEG", size=(300, 300))[:1500], "image/jpeg", 422),
    "a video that is none": ("video/mp4", b"MZ" * 100, "video/mp4", 422),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_not_as_it_should_be_is_refused_and_removed(
    client: Client,
    staff: Headers,
    path: str,
    anyone: aiohttp.ClientSession,
    container: ContainerClient,
    uploads: ContainerClient,
    *,
    name: str,
) -> None:
    announced, content, kind, status = BAD[name]
    upload = await begin(client, staff, path, announced)
    assert await put(anyone, upload, content, **{"Content-Type": kind}) == 201

    answer = await complete(client, staff, upload)

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert (await names(container), await names(uploads), (await product(client, path))["media"]) == ([], [], [])


async def test_nothing_is_complete_before_it_has_arrived_and_nobody_elses(
    client: Client, staff: Headers, path: str, anyone: aiohttp.ClientSession
) -> None:
    upload = await begin(client, staff, path)
    chair = {"name": "Chair", "sku": "CHAIR", "price": 1, "currency": "EUR"}
    other = (await client.post("/api/products", json=chair, headers=staff)).headers["Location"]

    early = await complete(client, staff, upload)
    await put(anyone, upload)
    elsewhere = await client.post(f"{other}/media/uploads/{upload['id']}/complete", headers=staff)

    assert (early.status, (await early.json())["title"]) == (404, "Nothing uploaded")
    assert elsewhere.status == 404
    assert (await complete(client, staff, upload)).status == 201


async def test_what_could_never_be_complete_does_not_begin(client: Client, staff: Headers, path: str) -> None:
    async def status(**wanted: Any) -> int:
        return (await client.post(f"{path}/media/uploads", json=wanted, headers=staff)).status

    assert await status(content_type="image/gif", size=1) == 415
    assert await status(content_type="image/png", size=MOST_IMAGE_BYTES + 1) == 413
    assert await status(content_type="video/mp4", size=MOST_VIDEO_BYTES + 1) == 413
    assert await status(content_type="video/mp4", size=0) == 422
    assert await status(content_type="video/mp4") == 422
    nobody = await client.post(
        f"/api/products/{uuid4()}/media/uploads", json={"content_type": "image/png", "size": 1}, headers=staff
    )
    assert nobody.status == 404


async def test_an_upload_waits_until_there_is_room_for_it(
    client: Client, staff: Headers, path: str, anyone: aiohttp.ClientSession
) -> None:
    last = await begin(client, staff, path, "video/webm")
    await put(anyone, last, WEBM)
    for _ in range(MOST_MEDIA):
        filled = await client.post(f"{path}/media", data=WEBM, headers=staff | {"Content-Type": "video/webm"})
        assert filled.status == 201

    refused = await complete(client, staff, last)
    (first, *_) = (await product(client, path))["media"]
    await client.delete(f"{path}/media/{first['id']}", headers=staff)

    assert refused.status == 409
    assert (await complete(client, staff, last)).status == 201
