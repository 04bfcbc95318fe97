"""What the broker keeps on disk, and the statements that change it. One row for each message in each queue."""

from collections.abc import Iterable
from typing import Final

from localcloud.journal import Statement
from localcloud.servicebus.entry import Entry
from localcloud.servicebus.message import Message

# `messages` is what the first version wrote; what it holds is taken over.
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    queue      TEXT NOT NULL,
    number     INTEGER NOT NULL,
    enqueued   INTEGER NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0,
    dead       INTEGER NOT NULL DEFAULT 0,
    content    BLOB NOT NULL,
    PRIMARY KEY (queue, number)
);
CREATE TABLE IF NOT EXISTS numbers (queue TEXT PRIMARY KEY, last INTEGER NOT NULL); -- outlives the messages
CREATE TABLE IF NOT EXISTS entries (
    entity     TEXT NOT NULL,
    number     INTEGER NOT NULL,
    place      INTEGER NOT NULL DEFAULT 0, -- 0: the queue, 1: its dead letters, 2: what could not be forwarded
    state      INTEGER NOT NULL DEFAULT 0, -- as x-opt-message-state
    enqueued   INTEGER NOT NULL,           -- milliseconds since the epoch; of a scheduled one, when it is due
    expires    INTEGER,
    session    TEXT,
    deliveries INTEGER NOT NULL DEFAULT 0, -- how often it was handed out
    size       INTEGER NOT NULL,
    content    BLOB NOT NULL,
    PRIMARY KEY (entity, number)
);
INSERT OR IGNORE INTO entries (entity, number, place, enqueued, deliveries, size, content)
    SELECT queue, number, dead, enqueued, deliveries, length(content), content FROM messages;
DELETE FROM messages;
CREATE TABLE IF NOT EXISTS seen (entity TEXT, id TEXT, at INTEGER NOT NULL, PRIMARY KEY (entity, id));
CREATE TABLE IF NOT EXISTS sessions (entity TEXT, id TEXT, state BLOB, updated INTEGER, PRIMARY KEY (entity, id));
CREATE TABLE IF NOT EXISTS entities (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, settings BLOB NOT NULL
)
"""
MAIN, DEAD, STUCK = 0, 1, 2  # places

LOAD: Final = """
SELECT number, place, state, enqueued, expires, session, deliveries, size FROM entries WHERE entity = ? ORDER BY number
"""
LAST: Final = "SELECT last FROM numbers WHERE queue = ?"
SEEN: Final = "SELECT id, at FROM seen WHERE entity = ? ORDER BY at"
SESSIONS: Final = "SELECT id, state, updated FROM sessions WHERE entity = ?"
ENTITIES: Final = "SELECT name, kind, settings FROM entities ORDER BY key"
CONTENT: Final = """
SELECT number, content FROM entries WHERE entity = ? AND number >= ? ORDER BY number LIMIT ?
"""
_STORE: Final = """
INSERT INTO entries (entity, number, place, state, enqueued, expires, session, size, content)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NUMBER: Final = "INSERT INTO numbers VALUES (?, ?) ON CONFLICT DO UPDATE SET last = excluded.last"
_COUNT: Final = "UPDATE entries SET deliveries = ? WHERE entity = ? AND number BETWEEN ? AND ?"
_PARK: Final = "UPDATE entries SET state = ? WHERE entity = ? AND number = ?"
_REWRITE: Final = "UPDATE entries SET place = ?, state = ?, content = ? WHERE entity = ? AND number = ?"
_ENQUEUE: Final = """
UPDATE entries SET number = ?, state = 0, enqueued = ?, expires = ? WHERE entity = ? AND number = ?
"""
_REMOVE: Final = "DELETE FROM entries WHERE entity = ? AND number = ?"
_REMEMBER: Final = "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at"
_FORGET: Final = "DELETE FROM seen WHERE entity = ? AND at < ?"
_KEEP: Final = """
INSERT INTO sessions VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state, updated = excluded.updated
"""
_DROP: Final = "DELETE FROM sessions WHERE entity = ? AND id = ?"
_DEFINE: Final = """
INSERT INTO entities VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET name = excluded.name, kind = excluded.kind, settings = excluded.settings
"""
_UNDEFINE: Final = (
    "DELETE FROM entries WHERE entity = ?",
    "DELETE FROM numbers WHERE queue = ?",
    "DELETE FROM seen WHERE entity = ?",
    "DELETE FROM sessions WHERE entity = ?",
    "DELETE FROM entities WHERE key = ?",
)


def stored(entity: str, place: int, entry: Entry, message: Message) -> Statement:
    content = message.encoded((), 0)
    of = entry
    return _STORE, (entity, of.number, place, of.state, of.enqueued, of.expires, of.session, of.size, content)


def numbered(entity: str, last: int) -> Statement:
    return _NUMBER, (entity, last)


def counted(entity: str, entries: Iterable[Entry]) -> list[Statement]:
    """One for all that follow each other and were handed out equally often."""
    runs = list[list[Entry]]()
    for entry in entries:
        last = runs[-1][-1] if runs else None
        if last and (entry.number, entry.deliveries) == (last.number + 1, last.deliveries):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return [(_COUNT, (run[0].deliveries, entity, run[0].number, run[-1].number)) for run in runs]


def parked(entity: str, entry: Entry) -> Statement:
    return _PARK, (entry.state, entity, entry.number)


def rewritten(entity: str, place: int, entry: Entry, message: Message) -> Statement:
    return _REWRITE, (place, entry.state, message.encoded((), 0), entity, entry.number)


def enqueued(entity: str, before: int, entry: Entry) -> Statement:
    """A scheduled one, that is due, by its new number."""
    return _ENQUEUE, (entry.number, entry.enqueued, entry.expires, entity, before)


def removed(entity: str, number: int) -> Statement:
    return _REMOVE, (entity, number)


def remembered(entity: str, message_id: str, at: int) -> Statement:
    return _REMEMBER, (entity, message_id, at)


def forgotten(entity: str, before: int) -> Statement:
    return _FORGET, (entity, before)


def session_kept(entity: str, session: str, state: bytes | None, at: int) -> Statement:
    return (_DROP, (entity, session)) if state is None else (_KEEP, (entity, session, state, at))


def defined(key: str, name: str, kind: str, settings: bytes) -> Statement:
    return _DEFINE, (key, name, kind, settings)


def undefined(name: str) -> list[Statement]:
    return [(sql, (name,)) for sql in _UNDEFINE]
