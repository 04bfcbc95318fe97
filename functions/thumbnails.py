"""An image is new in Blob Storage: it gets its thumbnails, and the catalogue is told of each.

The names of the thumbnails follow from the image's, so a repeat writes the same again. Who deletes an image deletes it
first and its thumbnails then; here it is looked for once more after they are written. So whoever is later clears up.
"""

from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO

import azure.functions as func
import structlog
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient

from functions import events
from functions.blobs import Blobs
from libs.common import telemetry
from libs.common.clock import now
from libs.common.errors import Malformed
from libs.common.media import CONTAINER, FOREVER, SIZES, THUMBNAIL_TYPE, Place, place_of
from libs.common.messages import encode_command
from libs.common.messages.catalog import AddMediaVariant, Size
from libs.common.pictures import MOST_BYTES, Picture

log = structlog.get_logger()

CREATED = "Microsoft.Storage.BlobCreated"
FOLDER = f"/blobServices/default/containers/{CONTAINER}/blobs/"
LOOK = ContentSettings(content_type=THUMBNAIL_TYPE, cache_control=FOREVER)
Outs = Mapping[Size, func.Out[str]]


async def thumbnails(event: func.CloudEvent, outs: Outs, to: Blobs) -> None:
    with events.trace(event, "thumbnails"):
        name, place = _image(event)
        content = await _read(to.media, name)
        if not content:
            log.info("image.gone", name=name)
            return
        made = await to.studio.thumbnails(content)
        for size in SIZES:
            blob = to.media.get_blob_client(place.thumbnail(size))
            await blob.upload_blob(BytesIO(made[size].content), overwrite=True, content_settings=LOOK)
        if not await to.media.get_blob_client(name).exists():
            await _remove(to.media, place)
            log.info("image.gone", name=name)
            return
        for size in SIZES:
            _tell(event, outs[size], _variant(place, size, made[size], to))
        log.info("thumbnails.made", product_id=str(place.product_id), media_id=str(place.media_id))


def _image(event: func.CloudEvent) -> tuple[str, Place]:
    """Its name, and whose it is. Raises Malformed: whoever subscribes asks for images only."""
    name = (event.subject or "").removeprefix(FOLDER)
    place = place_of(name)
    if event.type != CREATED or place is None or not name.startswith("images/"):
        raise Malformed(f"nothing here hears {event.type} of {event.subject}")
    return name, place


async def _read(media: ContainerClient, name: str) -> bytes:
    """Nothing where it is gone by now."""
    try:
        return await (await media.download_blob(name, 0, MOST_BYTES)).readall()
    except ResourceNotFoundError:
        return b""


async def _remove(media: ContainerClient, place: Place) -> None:
    for size in SIZES:
        with suppress(ResourceNotFoundError):
            await media.delete_blob(place.thumbnail(size))


def _variant(place: Place, size: Size, made: Picture, to: Blobs) -> AddMediaVariant:
    return AddMediaVariant(
        product_id=place.product_id,
        media_id=place.media_id,
        size=size,
        url=f"{to.media_url}/{place.thumbnail(size)}",
        width=made.width,
        height=made.height,
    )


def _tell(event: func.CloudEvent, out: func.Out[str], command: AddMediaVariant) -> None:
    body = encode_command(
        command,
        "/functions/thumbnails",
        cause=f"{event.source} {event.id}",
        at=event.time or now(),
        traceparent=telemetry.traceparent(),
    )
    out.set(body.decode())
