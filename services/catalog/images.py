"""Images in Blob Storage: written under names of our own, read by anyone from there."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from libs.common.errors import StoreError, Unavailable
from services.catalog.domain import Media

log = structlog.get_logger()

CONTAINER = "media"
MOST_AT_ONCE = 8  # uploads; each holds its image in memory
FOREVER = "public, max-age=31536000, immutable"  # a new image has a new name
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class Images:
    container: ContainerClient
    media_url: str
    _uploads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    @classmethod
    @asynccontextmanager
    async def connect(cls, endpoint: str, media_url: str, credential: AsyncTokenCredential) -> AsyncIterator["Images"]:
        client = BlobServiceClient(endpoint, credential, retry_total=0, connection_timeout=5, read_timeout=20)
        async with client:
            yield cls(client.get_container_client(CONTAINER), media_url.rstrip("/"))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """One of the few uploads at once. Raises Unavailable where all are taken."""
        if self._uploads.locked():
            raise Unavailable("too many images are being uploaded; try again")
        async with self._uploads:
            yield

    def media(self, media_id: UUID, content_type: str) -> Media:
        return Media(media_id, f"{self.media_url}/{media_id.hex}.{EXTENSIONS[content_type]}", content_type)

    @asynccontextmanager
    async def kept(self, media: Media, content: bytes) -> AsyncIterator[None]:
        """The image is there when the block begins, and gone again where the block refuses it. Raises Unavailable."""
        await self._write(media, content)
        try:
            yield
        except Unavailable:  # whether it was written down is not known: rather an image too many than one too few
            log.warning("image.left", media_id=str(media.id))
            raise
        except StoreError:
            await self._delete(media)
            raise

    async def _write(self, media: Media, content: bytes) -> None:
        how = ContentSettings(content_type=media.content_type, cache_control=FOREVER)
        try:
            await self.container.upload_blob(_name(media), content, content_settings=how)
        except AzureError as error:
            raise Unavailable(f"Blob Storage does not take the image ({type(error).__name__})") from error

    async def forget(self, gone: Iterable[Media]) -> None:
        """As well as it can be done now: an image that stays harms nobody."""
        async with asyncio.TaskGroup() as group:
            for media in gone:
                group.create_task(self._delete(media))

    async def _delete(self, media: Media) -> None:
        try:
            await self.container.delete_blob(_name(media))
        except ResourceNotFoundError:
            return
        except AzureError as error:
            log.warning("image.left", media_id=str(media.id), reason=type(error).__name__)


def _name(media: Media) -> str:
    return media.url.rpartition("/")[2]
