"""The dead letters of Event Grid: blobs in a container, each an array of events that one subscription has not taken."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, ContainerClient
from msgspec import Raw

from deploy.dead_letters.destinations import Destinations, NotTaken
from deploy.dead_letters.letters import Content, DeadLetter, Tally, Wanted, read
from localcloud.eventgrid import death
from localcloud.eventgrid.death import Unreadable

MOST_LOOKED_AT = 10_000  # blobs
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Blob:
    name: str
    etag: str
    events: list[Raw]  # none where it can't be read


@dataclass(frozen=True, slots=True)
class DeadContainer:
    container: ContainerClient
    subscriptions: Collection[str]

    async def look(self, wanted: Wanted, room: int) -> list[DeadLetter]:
        """At most `room` of those that are wanted. Raises AzureError."""
        found, looked_at = list[DeadLetter](), 0
        places = set(wanted.subscriptions_of([*self.subscriptions, ""]))
        async for listed in self.container.list_blobs():
            if len(found) >= room or looked_at >= MOST_LOOKED_AT:
                break
            looked_at += 1
            if (subscription := self._subscription(listed.name)) in places and (blob := await self._blob(listed.name)):
                found += filter(wanted.has, _letters(blob, subscription))
        return found[:room]

    async def replay(self, chosen: Iterable[DeadLetter], destinations: Destinations, tally: Tally) -> None:
        """Raises AzureError, Unavailable where the key of the functions can't be read."""
        for name, letters in groupby(chosen, key=lambda letter: str(letter.key[0])):
            indexes = [int(letter.key[1]) for letter in letters]
            if blob := await self._blob(name):
                await self._again(blob, indexes, destinations, tally)
            else:
                tally.gone += len(indexes)

    async def _again(self, blob: Blob, indexes: list[int], destinations: Destinations, tally: Tally) -> None:
        """Whoever dies before the blob is gone delivers once more, and whoever gets it knows the id."""
        taken = set[int]()
        for index in indexes:
            try:
                await destinations.deliver(_event(blob, index), self._subscription(blob.name))
            except NotTaken as error:
                tally.refused.append(f"{blob.name}: {error}")
            else:
                taken.add(index)
        if taken:
            tally.sent += len(taken)
            await self._keep(blob, [each for index, each in enumerate(blob.events) if index not in taken])

    async def _keep(self, blob: Blob, rest: list[Raw]) -> None:
        """Only what was not taken; nothing at all where another has changed the blob meanwhile."""
        as_it_was: dict[str, Any] = {"etag": blob.etag, "match_condition": MatchConditions.IfNotModified}
        at = self._at(blob.name)
        try:
            if rest:
                await at.upload_blob(msgspec.json.encode(rest), overwrite=True, **as_it_was)
            else:
                await at.delete_blob(**as_it_was)
        except (ResourceModifiedError, ResourceNotFoundError):
            return

    async def _blob(self, name: str) -> Blob | None:
        """None where there is none any more."""
        try:
            reading = await self._at(name).download_blob()
            content = await reading.readall() if reading.size <= MOST_BYTES else b""
            return Blob(name, reading.properties.etag, death.events(content))
        except ResourceNotFoundError:
            return None

    def _at(self, name: str) -> BlobClient:
        return self.container.get_blob_client(name)

    def _subscription(self, blob: str) -> str:
        return death.subscription_of(blob, self.subscriptions)


def _letters(blob: Blob, subscription: str) -> Iterator[DeadLetter]:
    place = f"subscription {subscription}" if subscription else "no subscription of ours"
    for index, event in enumerate(blob.events):
        of = death.death(event)
        yield DeadLetter(
            place=place,
            at=of.at,
            deliveries=of.deliveries,
            reason=of.reason,
            description=f"the last attempt ended with {of.outcome}" if of.outcome else "",
            content=read(bytes(event)),
            key=(blob.name, index),
        )
    if not blob.events:
        content = Content(gist=f"no JSON that Event Grid writes: {blob.name}")
        yield DeadLetter(place, None, 0, death.NO_DEATH, "", content, (blob.name, 0))


def _event(blob: Blob, index: int) -> bytes:
    """As it was published. Raises NotTaken."""
    try:
        return death.as_published(blob.events[index])
    except (IndexError, Unreadable) as error:
        raise NotTaken("it can't be read; look at the blob") from error
