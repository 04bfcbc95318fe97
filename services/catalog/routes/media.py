"""Images of products in: staff send them, and take them away."""

import asyncio
from uuid import uuid4

from aiohttp import web

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.errors import Malformed, TooLarge
from libs.common.http import no_content, path_id
from libs.common.operations import Operation, allow
from services.catalog.domain import (
    SIGNATURES,
    TooManyMedia,
    UnsupportedImage,
    check_image,
)
from services.catalog.routes.keys import IMAGES, STORE
from services.catalog.routes.products import ProductBody, answer

routes = web.RouteTableDef()

MOST_IMAGE_BYTES = 5 * 1024 * 1024
UPLOAD_SECONDS = 30.0


@routes.post("/api/products/{id}/media")
@allow(Role.ADMIN)
@Operation(
    body=bytes, body_types=tuple(SIGNATURES), answers={201: ProductBody}, refuses=[TooManyMedia, UnsupportedImage]
)
async def add_media(request: web.Request) -> web.Response:
    store, images, product_id = request.app[STORE], request.app[IMAGES], path_id(request)
    await store.read(product_id)
    async with images.slot():
        content = await image(request)
        media = images.media(uuid4(), request.content_type)
        async with images.kept(media, content):
            product = await store.change(product_id, lambda product: product.show(media, now()))
    return answer(product, status=201, headers={"Location": media.url})


@routes.delete("/api/products/{id}/media/{media_id}")
@allow(Role.ADMIN)
@Operation(answers={204: None})
async def delete_media(request: web.Request) -> web.Response:
    store, product_id, media_id = request.app[STORE], path_id(request), path_id(request, "media_id")
    media = (await store.read(product_id)).media
    await store.change(product_id, lambda product: product.hide(media_id, now()))
    await request.app[IMAGES].forget([each for each in media if each.id == media_id])
    return no_content()


async def image(request: web.Request) -> bytes:
    """The body, as it comes in. Raises TooLarge, Malformed, UnsupportedImage or Invalid."""
    if (request.content_length or 0) > MOST_IMAGE_BYTES:
        raise TooLarge
    arrived = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for chunk in request.content.iter_any():
                arrived += chunk
                if len(arrived) > MOST_IMAGE_BYTES:
                    raise TooLarge
    except TimeoutError as error:
        raise Malformed(f"the image did not arrive within {UPLOAD_SECONDS:.0f} s") from error
    content = bytes(arrived)
    check_image(request.content_type, content)
    return content
