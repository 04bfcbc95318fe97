"""A product's pictures, from the staff's hands to the customers' eyes."""

from io import BytesIO
from typing import Any

import pytest

from localcloud.certificates import Certificates
from localcloud.state import State
from tests.pictures import MP4, opened, picture
from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Answer, Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store")]

VIDEO = MP4.ljust(6_000_000, b"x")


async def send(shop: Shop, product: str, content: bytes, kind: str) -> Any:
    headers = {"Authorization": f"Bearer {shop.token('admin', None)}", "Content-Type": kind}
    url = f"{shop.gateway}/api/products/{product}/media"
    async with shop.session.post(url, data=BytesIO(content), headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return (await answer.json())["media"][-1]


async def read(shop: Shop, url: str, **headers: str) -> Answer:
    assert url.startswith(f"{shop.gateway}/media/")
    return await shop.call("GET", url.removeprefix(shop.gateway), headers=headers)


async def with_thumbnails(shop: Shop, product: str) -> Any:
    answer = await until(
        lambda: shop.call("GET", f"/api/products/{product}"),
        lambda answer: all(len(media["variants"]) == 3 for media in answer.body["media"]),
    )
    return answer.body["media"]


@told_on_each_engine
async def test_an_image_appears_with_three_thumbnails_and_goes_with_them(shop: Shop) -> None:
    product = await shop.product(stock=1)
    await send(shop, product, picture("JPEG", size=(2000, 1000)), "image/jpeg")

    (media,) = await with_thumbnails(shop, product)

    urls = {each["size"]: each["url"] for each in media["variants"]} | {"": media["url"]}
    shown = {size: await read(shop, url) for size, url in urls.items()}
    sizes = {size: opened(answer.content).size for size, answer in shown.items()}
    assert sizes == {"small": (160, 80), "medium": (480, 240), "large": (1280, 640), "": (2000, 1000)}
    for answer in shown.values():
        assert (answer.status, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert "immutable" in answer.headers["Cache-Control"]
    assert {answer.headers["Content-Type"] for answer in shown.values()} == {"image/webp", "image/jpeg"}

    await shop.as_admin("DELETE", f"/api/products/{product}/media/{media['id']}")
    assert {(await read(shop, url)).status for url in urls.values()} == {404}


async def test_a_video_is_watched_from_anywhere_in_it(shop: Shop) -> None:
    product = await shop.product(stock=1)
    url = (await send(shop, product, VIDEO, "video/mp4"))["url"]

    part = await read(shop, url, Range="bytes=4-11")
    rest = await read(shop, url, Range=f"bytes={len(VIDEO) - 3}-")
    known = await read(shop, url, **{"If-None-Match": part.headers["ETag"]})
    head = await shop.call("HEAD", url.removeprefix(shop.gateway))

    assert (part.status, part.content, part.headers["Content-Type"]) == (206, MP4[4:12], "video/mp4")
    assert part.headers["Content-Range"] == f"bytes 4-11/{len(VIDEO)}"
    assert (rest.status, rest.content, known.status) == (206, b"xxx", 304)
    assert (head.status, head.headers["Content-Length"], head.content) == (200, str(len(VIDEO)), b"")
    assert head.headers["Accept-Ranges"] == "bytes"


async def test_a_file_is_put_into_storage_past_the_service_and_only_then_shown(
    shop: Shop, running: RunningStore
) -> None:
    product, content = await shop.product(stock=1), picture(size=(300, 300))
    wanted = {"content_type": "image/png", "size": len(content)}
    upload = (await shop.as_admin("POST", f"/api/products/{product}/media/uploads", json=wanted)).body

    tls = _certificates(running).client_context()
    put = shop.session.request(upload["method"], upload["url"], data=content, headers=upload["headers"], ssl=tls)
    async with put as answer:
        assert answer.status == 201
    private = await shop.call("GET", f"/media/../uploads/{upload['url'].partition('?')[0].rpartition('uploads/')[2]}")
    done = await shop.as_admin("POST", upload["complete"])

    assert (private.status, done.status) == (404, 201)
    (media,) = await with_thumbnails(shop, product)
    assert opened((await read(shop, media["url"])).content).size == (300, 300)


async def test_an_image_that_is_stored_while_functions_are_away_gets_its_thumbnails_later(
    shop: Shop, running: RunningStore
) -> None:
    product = await shop.product(stock=1)

    running.kill("functions")
    await send(shop, product, picture(), "image/png")

    await with_thumbnails(shop, product)


@pytest.mark.parametrize("path", ["/media", "/media/", "/media?restype=container&comp=list", "/uploads/collector"])
async def test_nothing_can_be_listed(shop: Shop, path: str) -> None:
    assert (await shop.call("GET", path)).status in (400, 404)


def _certificates(running: RunningStore) -> Certificates:
    folder = State(running.folder).certificates
    return Certificates(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "bundle.pem")))
