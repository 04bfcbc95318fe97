"""Direct uploads: staff ask for a place in Blob Storage, put a file there, and say that it is complete."""

from typing import Annotated
from uuid import UUID, uuid4

from aiohttp import web
from msgspec import Meta, Struct

from libs.common.auth import Role
from libs.common.clock import Moment, now
from libs.common.errors import Conflict, StoreError, Unavailable
from libs.common.http import path_id, read, reply
from libs.common.media import Place
from libs.common.operations import Operation, allow
from services.catalog.domain import Product, TooManyMedia
from services.catalog.gallery import Overdue, Write
from services.catalog.media import (
    HEAD_BYTES,
    MOST_VIDEO_BYTES,
    TYPES,
    UnsupportedMedia,
    check_head,
    check_size,
    check_type,
    is_video,
    most_bytes,
)
from services.catalog.routes.keys import GALLERY, STORE
from services.catalog.routes.media import keep
from services.catalog.routes.products import ProductBody, answer
from services.catalog.uploads import LIFETIME, Arrival, NothingUploaded

routes = web.RouteTableDef()


class Announcement(Struct, frozen=True, forbid_unknown_fields=True):
    """What of it is not taken is refused as it would be if the file itself were sent: by 413 and 415."""

    content_type: Annotated[str, Meta(max_length=100, extra_json_schema={"enum": list(TYPES)})]
    size: Annotated[int, Meta(ge=1, le=2**40, extra_json_schema={"maximum": MOST_VIDEO_BYTES})]


class UploadBody(Struct, frozen=True):
    """`method`, `url` and `headers` are those of the one request that puts the file there."""

    id: UUID
    method: str
    url: str
    headers: dict[str, str]
    expires_at: Moment
    complete: str  # where to say so


@routes.post("/api/products/{id}/media/uploads")
@allow(Role.ADMIN)
@Operation(body=Announcement, answers={201: UploadBody}, refuses=[TooManyMedia, UnsupportedMedia])
async def begin_upload(request: web.Request) -> web.Response:
    """A place for one file, to be put there within ten minutes by a request to Blob Storage itself."""
    product_id, wanted, upload_id = path_id(request), await read(request, Announcement), uuid4()
    check_type(wanted.content_type)
    check_size(wanted.content_type, wanted.size)
    (await request.app[STORE].read(product_id)).check_room()
    ends = (now() + LIFETIME).replace(microsecond=0)
    body = UploadBody(
        id=upload_id,
        method="PUT",
        url=await request.app[GALLERY].uploads.url(product_id, upload_id, ends),
        headers={"x-ms-blob-type": "BlockBlob", "Content-Type": wanted.content_type},
        expires_at=ends,
        complete=f"/api/products/{product_id}/media/uploads/{upload_id}/complete",
    )
    return reply(body, status=201, headers={"Cache-Control": "no-store"})


@routes.post("/api/products/{id}/media/uploads/{upload_id}/complete")
@allow(Role.ADMIN)
@Operation(
    answers={200: ProductBody, 201: ProductBody}, refuses=[NothingUploaded, TooManyMedia, UnsupportedMedia, Overdue]
)
async def complete_upload(request: web.Request) -> web.Response:
    """What was uploaded is verified and shown; a repeat answers 200 and changes nothing."""
    product_id, upload_id = path_id(request), path_id(request, "upload_id")
    product, uploads = await request.app[STORE].read(product_id), request.app[GALLERY].uploads
    if product.uploaded(upload_id):
        await uploads.remove(product_id, upload_id)  # the attempt before may have died of its success
        return answer(product)
    arrival = await uploads.arrived(product_id, upload_id)
    try:
        product = await _show(request, product_id, upload_id, arrival)
    except (Unavailable, Conflict):  # later it may be well
        raise
    except StoreError:  # it will not become any better
        await uploads.remove(product_id, upload_id)
        raise
    await uploads.remove(product_id, upload_id)
    return answer(product, status=201)


async def _show(request: web.Request, product_id: UUID, upload_id: UUID, arrival: Arrival) -> Product:
    """Raises UnsupportedMedia, TooLarge, Invalid, TooManyMedia, Unavailable."""
    gallery, kind = request.app[GALLERY], arrival.content_type
    check_type(kind)
    check_size(kind, arrival.size)
    async with gallery.slot(kind):
        media = gallery.media(Place(product_id, uuid4()), kind, upload_id)
        return await keep(request, product_id, media, await _write(request, product_id, upload_id, arrival))


async def _write(request: web.Request, product_id: UUID, upload_id: UUID, arrival: Arrival) -> Write:
    gallery, uploads, kind = request.app[GALLERY], request.app[GALLERY].uploads, arrival.content_type
    most = HEAD_BYTES if is_video(kind) else most_bytes(kind)
    content = await uploads.read(product_id, upload_id, most)
    check_head(kind, content)
    if is_video(kind):
        source = await uploads.source(product_id, upload_id, now() + LIFETIME)
        return gallery.copy(source, arrival.etag, kind)
    return gallery.image(content, kind)
