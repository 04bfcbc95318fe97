"""Media in Blob Storage: written under names of our own that are used once, read by anyone from there."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from uuid import UUID

import structlog
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from libs.common.errors import StoreError, Unavailable
from libs.common.media import CONTAINER, FOREVER, SIZES, Place, place_of
from libs.common.pictures import Studio
from services.catalog.blobs import answering
from services.catalog.domain import Media
from services.catalog.media import is_video
from services.catalog.uploads import Uploads

log = structlog.get_logger()

IMAGES_AT_ONCE = 8  # each is held in memory
VIDEOS_AT_ONCE = 4  # a block of each
COPY_SECONDS = 60
COMMIT_WITHIN = timedelta(minutes=15)  # of when its blob was begun; orphans.GRACE is much longer

Write = Callable[[BlobClient], Awaitable[None]]


class Overdue(StoreError):
    """It took too long to come in; send it again."""

    status = HTTPStatus.REQUEST_TIMEOUT


def in_time(begun: datetime, at: datetime) -> datetime:
    """`at`, if media that was begun then may still be shown. Raises Overdue.

    Asked where the change is made: what a product comes to name is younger than anything that is collected.
    """
    if at - begun > COMMIT_WITHIN:
        raise Overdue
    return at


@dataclass(frozen=True, slots=True)
class Gallery:
    blobs: BlobServiceClient
    url: str  # where anyone can read what lies in the container `media`
    studio: Studio = field(default_factory=Studio)
    _images: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IMAGES_AT_ONCE))
    _videos: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(VIDEOS_AT_ONCE))

    @property
    def uploads(self) -> Uploads:
        return Uploads(self.blobs)

    @asynccontextmanager
    async def slot(self, content_type: str) -> AsyncIterator[None]:
        """One of the few uploads at once. Raises Unavailable where all are taken."""
        places = self._videos if is_video(content_type) else self._images
        if places.locked():
            raise Unavailable("too many images or videos are being uploaded; try again")
        async with places:
            yield

    def media(self, place: Place, content_type: str, upload_id: UUID | None = None) -> Media:
        url = f"{self.url.rstrip('/')}/{place.original(content_type)}"
        return Media(place.media_id, url, content_type, upload_id)

    @asynccontextmanager
    async def kept(self, media: Media, write: Write) -> AsyncIterator[None]:
        """The blob is there when the block begins, and gone again where the block refuses it. Raises as `write`."""
        await write(self._blob(_name(media)))
        try:
            yield
        except Unavailable:  # whether it was written down is not known: orphans.py will find out
            log.warning("media.left", media_id=str(media.id))
            raise
        except StoreError:
            await self.forget([media])
            raise

    def image(self, content: bytes, content_type: str) -> Write:
        """Its pixels and nothing else of it."""

        async def write(blob: BlobClient) -> None:
            picture = await self.studio.clean(content)
            with answering():
                await blob.upload_blob(BytesIO(picture.content), content_settings=_settings(content_type))

        return write

    def video(self, blocks: AsyncIterator[bytes], content_type: str) -> Write:
        """Of whatever does not come in to its end nothing can be seen, and storage forgets it."""

        async def write(blob: BlobClient) -> None:
            known = list[BlobBlock]()
            async for block in blocks:
                known.append(BlobBlock(f"{len(known):06}"))
                with answering():
                    await blob.stage_block(known[-1].id, BytesIO(block), len(block))
            with answering():
                await blob.commit_block_list(known, content_settings=_settings(content_type))

        return write

    def copy(self, source: str, etag: str, content_type: str) -> Write:
        """Within Blob Storage, and only of what was looked at."""

        async def write(blob: BlobClient) -> None:
            with answering():
                await blob.start_copy_from_url(
                    source,
                    metadata={"copied": "true"},  # else whatever the uploader has put there would be public
                    requires_sync=True,
                    source_etag=etag,
                    source_match_condition=MatchConditions.IfNotModified,
                    read_timeout=COPY_SECONDS,
                )
                await blob.set_http_headers(_settings(content_type))

        return write

    async def forget(self, gone: Iterable[Media]) -> None:
        """As well as it can be done now; orphans.py finds what stays."""
        async with asyncio.TaskGroup() as group:
            for media in gone:
                group.create_task(self._forget(media))

    async def _forget(self, media: Media) -> None:
        """The image first: who makes its thumbnails looks afterwards whether it is still there."""
        name = _name(media)
        await self._delete(name)
        place = place_of(name)
        if place and not is_video(media.content_type):
            for size in SIZES:
                await self._delete(place.thumbnail(size))

    async def _delete(self, name: str) -> None:
        try:
            await self._blob(name).delete_blob()
        except ResourceNotFoundError:
            return
        except AzureError as error:
            log.warning("media.left", name=name, reason=type(error).__name__)

    def _blob(self, name: str) -> BlobClient:
        return self.blobs.get_blob_client(CONTAINER, name)


def _settings(content_type: str) -> ContentSettings:
    return ContentSettings(content_type=content_type, cache_control=FOREVER)


def _name(media: Media) -> str:
    """What was stored before names said whose they are has a name without folders."""
    known = re.search(r"(images|videos)/[0-9a-f]{32}/[0-9a-f]{32}\.\w+$", media.url)
    return known[0] if known else media.url.rpartition("/")[2]
