"""Event Grid's dead letters, which are blobs: looked at, brought once more to whom they were for, thrown away."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from localcloud.eventgrid import death
from localcloud.eventgrid.container import Blob, Container, NotTaken
from localcloud.eventgrid.death import Unreadable
from localcloud.eventgrid.delivery import Subscriber
from localcloud.eventgrid.retry import Outcome
from localcloud.eventgrid.wire import UNREADABLE
from localcloud.inspector import messages
from localcloud.inspector.messages import Shown

SHOWN: Final = 20  # blobs at once, each of which is read
MOST: Final = 1000  # that one act takes up
ACT_SECONDS: Final = 8.0  # after which none is begun
ANSWER_SECONDS: Final = 5.0  # that whoever gets one has


class Grave(Struct, frozen=True):
    blob: str
    at: datetime | None  # of the last attempt
    attempts: int
    reason: str
    outcome: str  # of the last attempt
    event: Shown


class _Named(Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1)]


@dataclass(slots=True)
class Tally:
    done: int = 0
    gone: int = 0
    kept: list[str] = field(default_factory=list)  # why each
    left: int = 0  # there was no time for them

    def said(self, deed: str) -> str:
        parts = [f"{self.done} {deed}"]
        parts += [f"{len(self.kept)} not, and still there: {self.kept[0]}"] if self.kept else []
        parts += [f"{self.gone} had gone meanwhile"] if self.gone else []
        parts += [f"{self.left} are left for want of time, do it again"] if self.left else []
        return "; ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class Graveyard:
    """All but `counts` raises NotTaken where storage does not answer."""

    container: Container
    _acting: asyncio.Lock = field(default_factory=asyncio.Lock)  # so that two who press at once bring it once

    async def counts(self, subscriptions: Iterable[str]) -> Counter[str] | None:
        """How many blobs lie there of each, up to five thousand of all; None where storage does not answer."""
        known = list(subscriptions)
        try:
            return Counter(death.subscription_of(name, known) for name in await self.container.names())
        except NotTaken:
            return None

    async def look(self, of: Subscriber) -> list[Grave]:
        """The first few."""
        blobs = await asyncio.gather(*map(self.container.read, await self._names(of, SHOWN)))
        return [grave for blob in blobs if blob for grave in _graves(blob)]

    async def bring(self, to: Subscriber, blob: str) -> str:
        """One, or all where none is named. Brought, then removed: whoever is killed in between has brought it twice."""

        async def once_more(blob: Blob, tally: Tally) -> None:
            rest = [event for event in blob.events if not await _taken(event, to, tally)]
            if not blob.events:
                tally.kept.append("it can't be read; look at the blob")
            elif len(rest) < len(blob.events):
                await self.container.keep(blob, rest)

        return (await self._each(to, blob, once_more)).said(f"sent to {to.name} again")

    async def discard(self, of: Subscriber, blob: str) -> str:
        async def throw_away(blob: Blob, tally: Tally) -> None:
            await self.container.keep(blob, [])
            tally.done += 1

        return (await self._each(of, blob, throw_away)).said(f"of {of.name} thrown away")

    async def _each(self, of: Subscriber, blob: str, act: Callable[[Blob, Tally], Awaitable[None]]) -> Tally:
        """The plan is made first: what comes back as a dead letter is another."""
        async with self._acting:
            names, tally, until = [blob] if blob else await self._names(of, MOST), Tally(), monotonic() + ACT_SECONDS
            for name in names:
                if monotonic() >= until:
                    tally.left += 1
                elif name.startswith(_folder(of)) and (found := await self.container.read(name)):
                    await act(found, tally)
                else:
                    tally.gone += 1
        return tally

    async def _names(self, of: Subscriber, most: int) -> list[str]:
        return await self.container.names(_folder(of), most)


def _folder(of: Subscriber) -> str:
    return f"{of.name.upper()}/"


async def _taken(event: Raw, by: Subscriber, tally: Tally) -> bool:
    try:
        published = death.as_published(event)
        answer = await by.bring(published, msgspec.json.decode(published, type=_Named).id, ANSWER_SECONDS)
    except (Unreadable, *UNREADABLE) as error:
        tally.kept.append(str(error))
        return False
    if answer.outcome is Outcome.DELIVERED:
        tally.done += 1
        return True
    tally.kept.append(answer.text)
    return False


def _graves(blob: Blob) -> list[Grave]:
    return [_grave(blob.name, each) for each in blob.events or [Raw(b"null")]]


def _grave(blob: str, event: Raw) -> Grave:
    of = death.death(event)
    return Grave(blob, of.at, of.deliveries, of.reason, of.outcome, messages.shown(_without_its_death(event)))


def _without_its_death(event: Raw) -> bytes:
    try:
        return death.as_published(event)
    except Unreadable:
        return bytes(event)
