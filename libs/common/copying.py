"""Moves a service's data to another engine: row by row, resumable, and compared at the end."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from libs.common.archive import Archive, Row
from libs.common.database import Database
from libs.common.errors import StoreError

ORIGIN = "from"  # what a copy notes first: where it comes from
LEADER_SECONDS = 10.0  # so long a relay that has died may seem to be there
DIGEST_BYTES = 32

Say = Callable[[str], None]


class Served(StoreError):
    """A service runs on the data that is to be copied. Stop it: what it changes meanwhile would be left behind."""


class Untold(StoreError):
    """Facts still wait in the outbox. Start the service again until they are told; when it stops, it tells the rest."""


class Filled(StoreError):
    """There is data where the copy is to go. Name a database, or a table, that is empty."""


class Elsewhere(StoreError):
    """A copy from somewhere else is under way there. Go on with that one, or empty it."""


class Differs(StoreError):
    """What was copied is not what is there now. Stop whatever writes to either, empty the copy, and copy again."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Of rows in any order: how many they are, and the sum of their digests."""

    rows: int = 0
    digest: int = 0

    def plus(self, rows: Sequence[Row]) -> "Sum":
        digests = (sha256(msgspec.json.encode(row, order="deterministic")).digest() for row in rows)
        total = self.digest + sum(int.from_bytes(digest) for digest in digests)
        return Sum(self.rows + len(rows), total % 256**DIGEST_BYTES)


async def refuse_served(database: Database, patience: float = LEADER_SECONDS) -> None:
    """Raises Served or Untold."""
    enough = asyncio.Event()
    asyncio.get_running_loop().call_later(patience, enough.set)
    async with database.lead(enough) as outbox:
        if outbox is None:
            raise Served
        async with outbox.claim(1) as events:
            if events:
                raise Untold  # and they stay where they are


async def copy(source: Archive, target: Archive, kinds: Sequence[type[Row]], *, origin: str, say: Say) -> None:
    """Goes on where it was interrupted, also at its very end. Raises Filled, Elsewhere, Differs or Unavailable."""
    progress = await target.progress()
    if not progress:
        if await _is_filled(target, kinds):
            await _recognise(source, target, kinds, say)
            return
        await target.note(ORIGIN, origin)
    elif progress[ORIGIN] != origin:
        raise Elsewhere(f"{Elsewhere.__doc__} It comes from {progress[ORIGIN]}.")
    for kind in kinds:
        await _copy_rows(source, target, kind, progress.get(kind.table, ""), say)
    for kind in kinds:
        if differs := await _difference(source, target, kind, say):
            raise Differs(f"{Differs.__doc__} {differs}")
    await target.finish()


async def _is_filled(target: Archive, kinds: Sequence[type[Row]]) -> bool:
    for kind in kinds:
        if (await target.page(kind, "")).rows:
            return True
    return False


async def _recognise(source: Archive, target: Archive, kinds: Sequence[type[Row]], say: Say) -> None:
    """Whoever was killed at the very end of a copy begins it anew. Raises Filled where something else is there."""
    for kind in kinds:
        if differs := await _difference(source, target, kind, say):
            raise Filled(f"{Filled.__doc__} {differs}")


async def _copy_rows(source: Archive, target: Archive, kind: type[Row], after: str, say: Say) -> None:
    total, copied = await source.count(kind), await target.count(kind) if after else 0
    while (page := await source.page(kind, after)).rows:
        await target.write(kind, page)
        after, copied = page.reached, copied + len(page.rows)
        say(f"{kind.table}: {copied:,} of {total:,} rows copied")


async def _difference(source: Archive, target: Archive, kind: type[Row], say: Say) -> str:
    """Empty where there is none, and that is said."""
    there, here = [await _summed(archive, kind) for archive in (source, target)]
    if there != here:
        differs = f"{there.rows:,} rows there, {here.rows:,} here" if there.rows != here.rows else "another checksum"
        return f"{kind.table}: {differs}."
    say(f"{kind.table}: {here.rows:,} rows, checksum {here.digest >> 8 * DIGEST_BYTES - 64:016x}")
    return ""


async def _summed(archive: Archive, kind: type[Row]) -> Sum:
    total, after = Sum(), ""
    while (page := await archive.page(kind, after)).rows:
        total, after = total.plus(page.rows), page.reached
    return total
