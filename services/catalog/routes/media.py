"""Images and videos of products in: staff send them, and take them away."""

from uuid import UUID, uuid4

from aiohttp import web

from libs.common.auth import Role
from libs.common.clock import now
from libs.common.http import no_content, path_id
from libs.common.media import Place
from libs.common.operations import Operation, allow
from services.catalog.domain import Media, Product, TooManyMedia
from services.catalog.gallery import Overdue, Write, in_time
from services.catalog.media import TYPES, UnsupportedMedia, check_type, is_video
from services.catalog.routes import arrivals
from services.catalog.routes.keys import GALLERY, STORE
from services.catalog.routes.products import ProductBody, answer

routes = web.RouteTableDef()


@routes.post("/api/products/{id}/media")
@allow(Role.ADMIN)
@Operation(body=bytes, body_types=TYPES, answers={201: ProductBody}, refuses=[TooManyMedia, UnsupportedMedia, Overdue])
async def add_media(request: web.Request) -> web.Response:
    """An image of up to 5 MB, which is stored anew without its metadata, or a video of up to 200 MB."""
    store, gallery, product_id = request.app[STORE], request.app[GALLERY], path_id(request)
    await store.read(product_id)
    kind = request.content_type
    check_type(kind)
    async with gallery.slot(kind):
        media = gallery.media(Place(product_id, uuid4()), kind)
        product = await keep(request, product_id, media, await _write(request))
    return answer(product, status=201, headers={"Location": media.url})


@routes.delete("/api/products/{id}/media/{media_id:[0-9a-fA-F-]{32,36}}")  # no id: uploads
@allow(Role.ADMIN)
@Operation(answers={204: None})
async def delete_media(request: web.Request) -> web.Response:
    store, product_id, media_id = request.app[STORE], path_id(request), path_id(request, "media_id")
    media = (await store.read(product_id)).media
    await store.change(product_id, lambda product: product.hide(media_id, now()))
    await request.app[GALLERY].forget([each for each in media if each.id == media_id])
    return no_content()


async def keep(request: web.Request, product_id: UUID, media: Media, write: Write) -> Product:
    """First the blob, then the product names it; where it does not, the blob is gone again."""
    gallery, begun = request.app[GALLERY], now()
    async with gallery.kept(media, write):
        product = await request.app[STORE].change(
            product_id, lambda product: product.show(media, in_time(begun, now()))
        )
    if media not in product.media:  # another has completed the same upload
        await gallery.forget([media])
    return product


async def _write(request: web.Request) -> Write:
    gallery, kind = request.app[GALLERY], request.content_type
    if is_video(kind):
        return gallery.video(arrivals.blocks(request), kind)
    return gallery.image(await arrivals.image(request), kind)
