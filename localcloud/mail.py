"""The mail server that keeps letters to look at. A letter that comes again, by its Message-ID, is counted, not kept."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import SMTPUTF8
from email.utils import parsedate_to_datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session
from msgspec import Struct, field

from localcloud.journal import Full, Journal

LARGEST_LETTER = 1_000_000  # bytes
MOST_LETTERS = 10_000  # then the oldest are dropped
MOST_RECIPIENTS = 100
MOST_IN_LIST = 1_000
MOST_ON_PAGE = 100
LONGEST_HEADER = 998  # characters
IDLE_SECONDS = 60

# What the standard library's parser raises, over time and versions, at letters that break the rules.
MALFORMED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)

SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    id         INTEGER PRIMARY KEY, -- rises by one with every letter
    message_id TEXT UNIQUE,         -- NULL: a letter without one is like no other
    sender     TEXT NOT NULL,
    recipients TEXT NOT NULL,       -- JSON
    subject    TEXT NOT NULL,
    received   TEXT NOT NULL,       -- RFC 3339
    repeats    INTEGER NOT NULL DEFAULT 0,
    content    BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS owners (    -- the customer that a letter is to, where it says so
    letter   INTEGER PRIMARY KEY,
    customer TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS owners_by_customer ON owners (customer);
CREATE TABLE IF NOT EXISTS erased (    -- of these customers nothing is kept that was written until then
    customer TEXT PRIMARY KEY,
    at       REAL NOT NULL             -- seconds since 1970
);
CREATE TABLE IF NOT EXISTS operations (-- of the mail service
    id         TEXT PRIMARY KEY,
    message_id TEXT NOT NULL
);
"""
# A letter that comes again under its operation's id is the same, whatever it says.
KEEP = """
INSERT INTO letters (message_id, sender, recipients, subject, received, content)
SELECT coalesce((SELECT message_id FROM operations WHERE id = ?1), ?2), ?3, ?4, ?5, ?6, ?7
WHERE NOT EXISTS (SELECT 1 FROM erased WHERE customer = ?8 AND at >= ?9)
ON CONFLICT (message_id) DO UPDATE SET repeats = repeats + 1
"""
OWN = "INSERT OR IGNORE INTO owners (letter, customer) SELECT id, ?1 FROM letters WHERE ?1 <> '' AND message_id = ?2"
OPERATE = "INSERT OR IGNORE INTO operations (id, message_id) SELECT ?1, ?2 WHERE ?1 IS NOT NULL AND ?2 IS NOT NULL"
OPERATED = "SELECT id FROM operations WHERE id = ?"
ERASE = """
INSERT INTO erased (customer, at) VALUES (?, ?)
ON CONFLICT (customer) DO UPDATE SET at = max(at, excluded.at)
"""
FORGET = "DELETE FROM letters WHERE id IN (SELECT letter FROM owners WHERE customer = ?)"
DISOWN = "DELETE FROM owners WHERE customer = ?"
DROPS = (
    "DELETE FROM letters WHERE id <= (SELECT max(id) FROM letters) - ?1",
    "DELETE FROM owners WHERE letter <= (SELECT max(id) FROM letters) - ?1",
    "DELETE FROM operations WHERE rowid <= (SELECT max(rowid) FROM operations) - ?1",
    "DELETE FROM erased WHERE rowid <= (SELECT max(rowid) FROM erased) - ?1",
)
COLUMNS = "id, message_id, sender, recipients, subject, received, repeats"
LIST = f"""
SELECT {COLUMNS} FROM letters
WHERE ?1 = '' OR EXISTS (SELECT 1 FROM json_each(recipients) WHERE lower(value) = lower(?1))
ORDER BY id DESC LIMIT ?2
"""  # noqa: S608
FIND = f"SELECT {COLUMNS}, content FROM letters WHERE id = ?"  # noqa: S608

PAGE = Template(Path(__file__).with_name("letters.html").read_text())
ROW = Template(
    '<tr><td><time datetime="$received">$received</time></td><td>$to</td>'
    '<td><a href="/letters/$id">$subject</a></td><td>$repeats</td></tr>'
)

log = structlog.get_logger()


class Letter(Struct, frozen=True, omit_defaults=True):
    id: int
    message_id: str | None
    from_: str = field(name="from")
    to: list[str]
    subject: str
    received: datetime
    repeats: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Letters:
    journal: Journal
    most: int

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, most: int = MOST_LETTERS) -> AsyncIterator["Letters"]:
        async with Journal.open(path, SCHEMA) as journal:
            yield cls(journal, most)

    async def keep(
        self, content: bytes, sender: str, recipients: list[str], at: datetime, *, operation: str | None = None
    ) -> None:
        """Raises what `Journal.write` raises."""
        message: EmailMessage = BytesHeaderParser(policy=SMTPUTF8).parsebytes(content)
        to = msgspec.json.encode([_plain(each) for each in recipients]).decode()
        message_id, customer = _header(message, "Message-ID") or None, _header(message, "X-Customer-Id")
        said = (_plain(sender), to, _header(message, "Subject"), at.isoformat(), content)
        await self.journal.write(
            (OPERATE, (operation, message_id)),
            (KEEP, (operation, message_id, *said, customer, _written(message, at).timestamp())),
            (OWN, (customer, message_id)),
            *((drop, (self.most,)) for drop in DROPS),
        )

    async def forget(self, customer: str, at: datetime) -> None:
        """All letters to them, and what was written by then and comes later. Raises what `Journal.write` raises."""
        erased = (ERASE, (customer, at.timestamp()))
        await self.journal.write(erased, (FORGET, (customer,)), (DISOWN, (customer,)))

    async def knows(self, operation: str) -> bool:
        return bool(await self.journal.read(OPERATED, operation))

    async def newest(self, limit: int, to: str = "") -> list[Letter]:
        return [_letter(*row) for row in await self.journal.read(LIST, to, limit)]

    async def find(self, number: int) -> Letter | None:
        """The letter with its text."""
        rows = await self.journal.read(FIND, number)
        return _letter(*rows[0][:-1], text=await asyncio.to_thread(_text, rows[0][-1])) if rows else None


@dataclass(frozen=True)  # no slots: aiosmtpd looks at every member, and Python 3.11.2 fails at the `__weakref__` of one
class Postbox:
    """What the SMTP server asks. Only what is on disk is answered with 250."""

    letters: Letters

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        try:
            await self.letters.keep(content, envelope.mail_from or "", envelope.rcpt_tos, datetime.now(UTC))
        except (Full, sqlite3.Error) as error:
            log.warning("letter.refused", reason=type(error).__name__)
            return "451 4.3.0 Not now, try again"
        log.info("letter.received", bytes=len(content))
        return "250 2.0.0 OK"


async def listen(letters: Letters, host: str, port: int) -> asyncio.Server:
    """An SMTP server that takes every letter."""
    loop, postbox = asyncio.get_running_loop(), Postbox(letters)

    def connected() -> SMTP:
        return SMTP(
            postbox,
            data_size_limit=LARGEST_LETTER,
            enable_SMTPUTF8=True,
            hostname="localhost",
            timeout=IDLE_SECONDS,
            loop=loop,
        )

    return await loop.create_server(connected, host, port)


async def serve(letters: Letters, host: str, port: int) -> None:
    """Until cancelled."""
    server = await listen(letters, host, port)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()


def app(letters: Letters) -> web.Application:
    """The letters, as a page for people and as JSON for programs."""

    async def page(_: web.Request) -> web.Response:
        newest = await letters.newest(MOST_ON_PAGE)
        text = PAGE.substitute(shown=len(newest), rows="\n".join(map(_row, newest)))
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return web.Response(text=text, content_type="text/html", headers=policy)

    async def newest(request: web.Request) -> web.Response:
        limit = request.query.get("limit", str(MOST_ON_PAGE))
        if not (limit.isdecimal() and 0 < int(limit) <= MOST_IN_LIST):
            raise web.HTTPBadRequest(text=f"limit is a number from 1 to {MOST_IN_LIST}")
        return _json(await letters.newest(int(limit), request.query.get("to", "")))

    async def one(request: web.Request) -> web.Response:
        letter = await letters.find(int(request.match_info["id"]))
        if letter is None:
            raise web.HTTPNotFound
        return _json(letter)

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/letters", newest)
    app.router.add_get(r"/letters/{id:\d{1,18}}", one)
    return app


def _json(content: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(content), content_type="application/json")


def _row(letter: Letter) -> str:
    to, subject = ", ".join(letter.to), letter.subject or "(no subject)"
    received = letter.received.isoformat(timespec="seconds")
    return ROW.substitute(
        id=letter.id, received=received, to=escape(to), subject=escape(subject), repeats=letter.repeats
    )


def _letter(*columns: Any, text: str | None = None) -> Letter:
    number, message_id, sender, recipients, subject, received, repeats = columns
    to, at = msgspec.json.decode(recipients, type=list[str]), datetime.fromisoformat(received)
    return Letter(number, message_id, sender, to, subject, at, repeats, text)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return _plain(str(message[name] or ""))[:LONGEST_HEADER]
    except MALFORMED:
        return ""


def _written(message: EmailMessage, otherwise: datetime) -> datetime:
    try:
        written = parsedate_to_datetime(_header(message, "Date"))
    except MALFORMED:
        return otherwise
    return written if written.tzinfo else written.replace(tzinfo=UTC)


def _text(content: bytes) -> str:
    try:
        part = BytesParser(policy=SMTPUTF8).parsebytes(content).get_body(("plain", "html"))
        return _plain(part.get_content()) if part else ""
    except MALFORMED:
        return content.decode(errors="replace")


def _plain(text: str) -> str:
    """Bytes that are not UTF-8 came in as lone surrogates, which neither SQLite nor JSON can hold."""
    return text.encode(errors="replace").decode()
