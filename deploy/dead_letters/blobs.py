"""The dead letters of Event Grid: blobs in a container, each an array of events that one subscription has not taken."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, ContainerClient
from msgspec import Raw, Struct

from deploy.dead_letters.destinations import Destinations, NotTaken
from deploy.dead_letters.letters import Content, DeadLetter, Tally, Wanted, read
from libs.common.messages import UNREADABLE

MOST_LOOKED_AT = 10_000  # blobs
MOST_BYTES = 16 * 1024 * 1024
# What Event Grid adds to an event when it gives up.
ADDED = (
    "deadletterreason",
    "deliveryattempts",
    "lastdeliveryoutcome",
    "lasthttpstatuscode",
    "publishtime",
    "lastdeliveryattempttime",
)
UNREADABLE_BLOB = "Unreadable"


class Death(Struct, frozen=True):
    deadletterreason: str = ""
    deliveryattempts: int | str = 0
    lastdeliveryoutcome: str = ""
    publishtime: str = ""
    lastdeliveryattempttime: str = ""


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
            return Blob(name, reading.properties.etag, _events(content))
        except ResourceNotFoundError:
            return None

    def _at(self, name: str) -> BlobClient:
        return self.container.get_blob_client(name)

    def _subscription(self, blob: str) -> str:
        """Its name stands in the blob's in capitals; empty where we know none such."""
        return next((each for each in self.subscriptions if each.upper() in blob.split("/")), "")


def _events(content: bytes) -> list[Raw]:
    try:
        text = content.decode()  # msgspec takes Raw without a look at its encoding
        found = msgspec.json.decode(text, type=list[Raw] | dict[str, Raw])
        return found if isinstance(found, list) else [Raw(content)]
    except UNREADABLE:
        return []


def _letters(blob: Blob, subscription: str) -> Iterator[DeadLetter]:
    place = f"subscription {subscription}" if subscription else "no subscription of ours"
    for index, event in enumerate(blob.events):
        death = _death(event)
        yield DeadLetter(
            place=place,
            at=_moment(death.lastdeliveryattempttime or death.publishtime),
            deliveries=int(death.deliveryattempts) if str(death.deliveryattempts).isdecimal() else 0,
            reason=death.deadletterreason,
            description=f"the last attempt ended with {death.lastdeliveryoutcome}" if death.lastdeliveryoutcome else "",
            content=read(bytes(event)),
            key=(blob.name, index),
        )
    if not blob.events:
        content = Content(gist=f"no JSON that Event Grid writes: {blob.name}")
        yield DeadLetter(place, None, 0, UNREADABLE_BLOB, "", content, (blob.name, 0))


def _death(event: Raw) -> Death:
    try:
        return msgspec.json.decode(event, type=Death)
    except UNREADABLE:
        return Death(deadletterreason=UNREADABLE_BLOB)


def _event(blob: Blob, index: int) -> bytes:
    """As it was published. Raises NotTaken."""
    try:
        fields = msgspec.json.decode(blob.events[index], type=dict[str, Raw])
    except (IndexError, *UNREADABLE) as error:
        raise NotTaken("it can't be read; look at the blob") from error
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in ADDED})


def _moment(said: str) -> datetime | None:
    try:
        return msgspec.convert(said, datetime)
    except msgspec.ValidationError:
        return None
