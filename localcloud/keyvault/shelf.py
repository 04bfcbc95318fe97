"""Where the versions of all secrets lie, and what becomes of them. What has been answered is on disk."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from localcloud.journal import Journal, Statement
from localcloud.keyvault.backup import MOST_VERSIONS, Safe
from localcloud.keyvault.refusals import DeletedNotFound, Exists, NotFound, Recoverable
from localcloud.keyvault.secret import RETENTION, Change, Deleted, Kept, Secret

SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (
    number  INTEGER PRIMARY KEY, -- rises with every version
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    created INTEGER NOT NULL,    -- seconds since 1970
    body    BLOB NOT NULL        -- JSON
);
CREATE UNIQUE INDEX IF NOT EXISTS secrets_by_name ON secrets (name, version);
CREATE TABLE IF NOT EXISTS deleted ( -- these names' versions wait for their purge
    name   TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    purged INTEGER NOT NULL          -- when they will be
);
"""
INSERT = "INSERT INTO secrets (name, version, created, body) VALUES (?, ?, ?, ?)"
UPDATE = "UPDATE secrets SET body = ? WHERE name = ? AND version = ?"
ONE = """SELECT number, name, version, created, body FROM secrets
    WHERE name = ?1 AND ?2 IN ('', version) AND name NOT IN (SELECT name FROM deleted) ORDER BY number DESC LIMIT 1"""
NEWEST = """SELECT max(number), name, version, created, body FROM secrets
    WHERE name > ? AND name NOT IN (SELECT name FROM deleted) GROUP BY name ORDER BY name LIMIT ?"""
VERSIONS = """SELECT number, name, version, created, body FROM secrets
    WHERE name = ? AND number > ? AND name NOT IN (SELECT name FROM deleted) ORDER BY number LIMIT ?"""
DELETED = """SELECT max(number), name, version, created, body, deleted.at, deleted.purged
    FROM secrets JOIN deleted USING (name)
    WHERE name > ?1 AND ?2 IN ('', name) AND deleted.purged > ?3 GROUP BY name ORDER BY name LIMIT ?4"""
DELETE = "INSERT INTO deleted (name, at, purged) VALUES (?, ?, ?)"
UNDELETE = "DELETE FROM deleted WHERE name = ?"
PURGE = "DELETE FROM secrets WHERE name = ?"
PURGE_DUE = "DELETE FROM secrets WHERE name IN (SELECT name FROM deleted WHERE purged <= ?)"
UNDELETE_DUE = "DELETE FROM deleted WHERE purged <= ?"


@dataclass(frozen=True, slots=True)
class Shelf:
    """An empty `version` is the newest."""

    journal: Journal
    safe: Safe
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)  # what is read stays true until it is written

    async def put(self, name: str, version: str, secret: Secret, at: datetime) -> Kept:
        """Raises Recoverable."""
        created = int(at.timestamp())
        async with self._changing:
            await self._refuse_deleted(name, at)
            insert = (INSERT, (name, version, created, msgspec.json.encode(secret)))
            await self.journal.write(*_due(at), insert)
        return Kept(0, name, version, created, secret)

    async def get(self, name: str, version: str = "") -> Kept:
        """Raises NotFound."""
        rows = await self.journal.read(ONE, name, version)
        if not rows:
            raise NotFound(f"{name}/{version}".rstrip("/"))
        return _kept(rows[0])

    async def change(self, name: str, version: str, change: Change, at: datetime) -> Kept:
        """Raises NotFound or BadParameter."""
        async with self._changing:
            changed = (await self.get(name, version)).changed(change, at)
            await self.journal.write((UPDATE, (msgspec.json.encode(changed.secret), name, changed.version)))
        return changed

    async def newest(self, after: str, most: int) -> list[tuple[str, Kept]]:
        """Of each secret, with what the next page begins after."""
        kept = [_kept(row) for row in await self.journal.read(NEWEST, after, most)]
        return [(each.name, each) for each in kept]

    async def versions(self, name: str, after: int, most: int) -> list[tuple[int, Kept]]:
        """Raises NotFound."""
        kept = [_kept(row) for row in await self.journal.read(VERSIONS, name, after, most)]
        if not kept and not after:
            raise NotFound(name)
        return [(each.number, each) for each in kept]

    async def delete(self, name: str, at: datetime) -> Deleted:
        """Raises NotFound."""
        async with self._changing:
            kept = await self.get(name)
            deleted = Deleted(kept, int(at.timestamp()), int((at + RETENTION).timestamp()))
            await self.journal.write((DELETE, (name, deleted.at, deleted.purged)))
        return deleted

    async def deleted(self, name: str, at: datetime) -> Deleted:
        """Raises DeletedNotFound."""
        found = await self._deleted("", name, 1, at)
        if not found:
            raise DeletedNotFound(name)
        return found[0]

    async def all_deleted(self, after: str, most: int, at: datetime) -> list[tuple[str, Deleted]]:
        return [(each.kept.name, each) for each in await self._deleted(after, "", most, at)]

    async def recover(self, name: str, at: datetime) -> Kept:
        """Raises DeletedNotFound."""
        async with self._changing:
            kept = (await self.deleted(name, at)).kept
            await self.journal.write((UNDELETE, (name,)))
        return kept

    async def purge(self, name: str, at: datetime) -> None:
        """Raises DeletedNotFound."""
        async with self._changing:
            await self.deleted(name, at)
            await self.journal.write((PURGE, (name,)), (UNDELETE, (name,)))

    async def back_up(self, name: str) -> str:
        """Raises NotFound or BadParameter."""
        return self.safe.seal([kept for _, kept in await self.versions(name, 0, MOST_VERSIONS + 1)])

    async def restore(self, backup: str, at: datetime) -> Kept:
        """The newest version of what was backed up. Raises BadParameter, Exists or Recoverable."""
        versions = self.safe.open_backup(backup)
        name = versions[0].name
        async with self._changing:
            await self._refuse_deleted(name, at)
            if await self.journal.read(ONE, name, ""):
                raise Exists(name)
            inserts = [(INSERT, (name, it.version, it.created, msgspec.json.encode(it.secret))) for it in versions]
            await self.journal.write(*_due(at), *inserts)
        return versions[-1]

    async def _refuse_deleted(self, name: str, at: datetime) -> None:
        if await self._deleted("", name, 1, at):
            raise Recoverable(name)

    async def _deleted(self, after: str, name: str, most: int, at: datetime) -> list[Deleted]:
        rows = await self.journal.read(DELETED, after, name, int(at.timestamp()), most)
        return [Deleted(_kept(tuple(row)), deleted, purged) for *row, deleted, purged in rows]


def _due(at: datetime) -> list[Statement]:
    """Whose time has come is not seen any more, and goes with the next that is written."""
    now = int(at.timestamp())
    return [(PURGE_DUE, (now,)), (UNDELETE_DUE, (now,))]


def _kept(row: tuple[Any, ...]) -> Kept:
    number, name, version, created, body = row
    return Kept(number, name, version, created, msgspec.json.decode(body, type=Secret))
