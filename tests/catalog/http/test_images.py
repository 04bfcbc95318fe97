"""What never reaches Blob Storage. The rest is in test_media.py."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from services.catalog.gallery import IMAGES_AT_ONCE
from services.catalog.media import MOST_IMAGE_BYTES
from tests.catalog.http.shop import Client, Headers, create
from tests.pictures import picture

pytestmark = pytest.mark.real

PNG = picture()


async def upload(client: Client, staff: Headers, product_id: str, body: Any, kind: str = "image/png") -> Any:
    return await client.post(f"/api/products/{product_id}/media", data=body, headers=staff | {"Content-Type": kind})


NO_IMAGES = [
    (PNG, "image/svg+xml", 415),
    (PNG, "text/html", 415),
    (PNG, "image/jpeg", 422),
    (b"<svg/>", "image/png", 422),
    (b"", "image/png", 422),
    (PNG + bytes(MOST_IMAGE_BYTES), "image/png", 413),
]


async def test_what_is_no_image_of_ours_is_refused(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    for body, kind, status in NO_IMAGES:
        answer = await upload(client, staff, product_id, BytesIO(body), kind)

        assert (answer.status, answer.content_type) == (status, "application/problem+json"), body[:20]
    assert (await (await client.get(f"/api/products/{product_id}")).json())["version"] == 1


async def in_pieces(pieces: int) -> AsyncIterator[bytes]:
    yield PNG
    for _ in range(pieces):
        yield bytes(64 * 1024)


async def test_a_stream_without_end_is_cut_off_at_the_limit(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    answer = await upload(client, staff, product_id, in_pieces(200))

    assert answer.status == 413


async def test_storage_that_is_away_is_said_and_nothing_is_stored(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    answer = await upload(client, staff, product_id, PNG)

    assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    assert (await (await client.get(f"/api/products/{product_id}")).json())["media"] == []


async def test_an_image_of_nothing_is_not_taken(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]

    assert (await upload(client, staff, str(uuid4()), PNG)).status == 404
    assert (await client.delete(f"/api/products/{product_id}/media/{uuid4()}", headers=staff)).status == 404


async def test_only_so_many_images_are_uploaded_at_once(client: Client, staff: Headers) -> None:
    product_id, goes_on = (await create(client, staff))["id"], asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"<"
        await goes_on.wait()

    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(upload(client, staff, product_id, slowly())) for _ in range(IMAGES_AT_ONCE)]
        while (one_more := await upload(client, staff, product_id, b"<")).status == 422:
            continue  # until the slow ones have taken all places
        goes_on.set()

    assert one_more.status == 503
    assert [(await each).status for each in slow] == [422] * IMAGES_AT_ONCE


async def test_an_upload_that_is_cut_off_stores_nothing_and_frees_its_place(client: Client, staff: Headers) -> None:
    product_id = (await create(client, staff))["id"]
    address = urlsplit(str(client.make_url("/")))
    head = f"POST /api/products/{product_id}/media HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    head += f"Authorization: {staff['Authorization']}\r\nContent-Length: 1000\r\n\r\n"

    for _ in range(IMAGES_AT_ONCE + 1):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head.encode() + PNG)
        await writer.drain()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()

    assert (await upload(client, staff, product_id, b"<")).status == 422
    assert (await (await client.get(f"/api/products/{product_id}")).json())["version"] == 1
