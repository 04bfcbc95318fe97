"""Collects the blobs that nothing names: of attempts that died, of products that are gone, of uploads never completed.

A blob is written before its product names it, so one that nobody names may be about to be named. What makes the
difference is age: a blob is left alone for GRACE, and an attempt that has taken longer than gallery.COMMIT_WITHIN
refuses itself, at the moment and under the lock of its change. Names are used once, so none comes back into use.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient, ContainerClient

from libs.common.clock import now
from libs.common.errors import NotFound, StoreError
from libs.common.media import CONTAINER, UPLOADS, Place, place_of
from libs.common.retry import stopped_within
from services.catalog.store import Store

log = structlog.get_logger()

GRACE = timedelta(hours=24)
EVERY = timedelta(hours=6)
LOOK_SECONDS = 1800.0  # how often each process looks whether it is time
PAGE = 100  # blobs that are listed at once
PAGE_PAUSE_SECONDS = 0.5
MOST_DELETED = 1000  # in one sweep, and less than a page beyond
FEW = 10  # so many orphans are never suspicious
MARKER = "collector"  # a blob in `uploads`: whose turn it is, and when the last was
TURN_SECONDS = 60  # what is not renewed for so long is free


@dataclass(frozen=True, slots=True)
class Orphan:
    name: str
    etag: str


@dataclass(slots=True)
class Found:
    kept: int = 0
    orphans: list[Orphan] = field(default_factory=list)

    @property
    def is_suspicious(self) -> bool:
        """More is nobody's than somebody's: rather is this not the store that these media are of."""
        return len(self.orphans) > max(FEW, self.kept)


@dataclass(frozen=True, slots=True)
class Collector:
    store: Store
    blobs: BlobServiceClient
    stop: asyncio.Event
    pause: float = PAGE_PAUSE_SECONDS

    async def sweep(self, at: datetime, turn: BlobLeaseClient) -> None:
        """First it looks and says what it has found, then it deletes. Raises AzureError or StoreError."""
        media, uploads = self.blobs.get_container_client(CONTAINER), self.blobs.get_container_client(UPLOADS)
        found, forgotten = await self.look(media, at, turn), await self._forgotten(uploads, at, turn)
        names = [each.name for each in (*found.orphans, *forgotten)][:PAGE]
        log.info("orphans.found", kept=found.kept, media=len(found.orphans), uploads=len(forgotten), names=names)
        if found.is_suspicious:
            log.error("orphans.suspicious", kept=found.kept, media=len(found.orphans))
        else:
            await self._delete(media, found.orphans, turn)
        await self._delete(uploads, forgotten, turn)

    async def look(self, media: ContainerClient, at: datetime, turn: BlobLeaseClient) -> Found:
        found = Found()
        async for page in self._pages(media, turn):
            for product_id, blobs in groupby(_placed(_old(page, at)), key=lambda each: each[0].product_id):
                named = await self._named(product_id)
                for place, blob in blobs:
                    if place.media_id in named:
                        found.kept += 1
                    else:
                        found.orphans.append(Orphan(blob.name, blob.etag))
            if len(found.orphans) >= MOST_DELETED:
                break
        return found

    async def _forgotten(self, uploads: ContainerClient, at: datetime, turn: BlobLeaseClient) -> list[Orphan]:
        forgotten = list[Orphan]()
        async for page in self._pages(uploads, turn):
            forgotten += [Orphan(each.name, each.etag) for each in _old(page, at) if each.name != MARKER]
            if len(forgotten) >= MOST_DELETED:
                break
        return forgotten

    async def _named(self, product_id: UUID) -> set[UUID]:
        try:
            return {media.id for media in (await self.store.read(product_id)).media}
        except NotFound:
            return set()

    async def _pages(self, container: ContainerClient, turn: BlobLeaseClient) -> AsyncIterator[list[BlobProperties]]:
        async for page in container.list_blobs(results_per_page=PAGE).by_page():
            await turn.renew()
            yield [blob async for blob in page]
            if await stopped_within(self.pause, self.stop):
                return

    async def _delete(self, container: ContainerClient, orphans: Iterable[Orphan], turn: BlobLeaseClient) -> None:
        """Those that are still as they were seen."""
        for count, each in enumerate(orphans):
            if self.stop.is_set():
                return
            if count % PAGE == 0:
                await turn.renew()
            with suppress(ResourceNotFoundError, ResourceModifiedError):
                await container.delete_blob(each.name, etag=each.etag, match_condition=MatchConditions.IfNotModified)
                log.info("orphan.deleted", container=container.container_name, name=each.name)


async def collect(collector: Collector, *, chance: random.Random) -> None:
    """Until the collector's `stop`."""
    while not await stopped_within(LOOK_SECONDS * chance.uniform(0.5, 1.5), collector.stop):
        at = now()
        try:
            async with taken_turn(collector.blobs, at) as turn:
                if turn:
                    await collector.sweep(at, turn)
        except (AzureError, StoreError) as error:
            log.warning("orphans.interrupted", reason=f"{type(error).__name__}: {error}"[:500])


@asynccontextmanager
async def taken_turn(blobs: BlobServiceClient, at: datetime) -> AsyncIterator[BlobLeaseClient | None]:
    """None where another process has it, or the last was not long ago. Two at once would only do the same twice."""
    marker = blobs.get_blob_client(UPLOADS, MARKER)
    lease = BlobLeaseClient(marker)
    with suppress(ResourceExistsError, ResourceModifiedError):  # it is there, and may be leased
        await marker.upload_blob(b"", overwrite=False)
    try:
        await lease.acquire(TURN_SECONDS)
    except ResourceExistsError:
        yield None
        return
    try:
        before = (await marker.get_blob_properties()).metadata.get("swept", "")
        due = not before or at - datetime.fromisoformat(before) >= EVERY
        yield lease if due else None
        if due:
            await marker.set_blob_metadata({"swept": at.isoformat()}, lease=lease)
    finally:
        with suppress(AzureError):
            await lease.release()


def _old(blobs: Iterable[BlobProperties], at: datetime) -> Iterator[BlobProperties]:
    return (each for each in blobs if at - each.last_modified > GRACE)


def _placed(blobs: Iterable[BlobProperties]) -> Iterator[tuple[Place, BlobProperties]]:
    """Those whose names say whose they are; of the others nothing is known, and they stay."""
    for blob in blobs:
        if place := place_of(blob.name):
            yield place, blob
