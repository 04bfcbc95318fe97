"""A dead letter as an operator sees it, and which of them are meant. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from libs.common.errors import Malformed
from libs.common.messages import UNREADABLE, CloudEvent

MOST_CHARACTERS = 200  # of anything that is shown
MOST_FIELDS = 12
DEEPEST = 2
# What says nothing of a person: an id, a moment.
PLAIN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True, slots=True)
class Content:
    """As much of a body as is shown."""

    id: str = ""
    type: str = ""
    order_id: str = ""
    gist: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    place: str  # `queue orders`, `subscription process-order`
    at: datetime | None  # in a queue: since when; of Event Grid: the last attempt
    deliveries: int
    reason: str
    description: str
    content: Content
    key: tuple[str | int, ...]  # where in its place it lies


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is empty leaves out none. Types and reasons may have `*` in them."""

    limit: int
    queues: frozenset[str] = frozenset()
    subscriptions: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    types: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        return not (self.queues or self.subscriptions or self.ids or self.types or self.reasons)

    def queues_of(self, known: Iterable[str]) -> list[str]:
        return [name for name in known if name in self.queues or not (self.queues or self.subscriptions)]

    def subscriptions_of(self, known: Iterable[str]) -> list[str]:
        return [name for name in known if name in self.subscriptions or not (self.queues or self.subscriptions)]

    def has(self, letter: DeadLetter) -> bool:
        return (
            (not self.ids or letter.content.id in self.ids)
            and _matches(letter.content.type, self.types)
            and _matches(letter.reason, self.reasons)
        )


@dataclass(slots=True)
class Tally:
    """What became of the chosen."""

    sent: int = 0
    gone: int = 0  # another has them, or has settled them
    refused: list[str] = field(default_factory=list)  # still there: why not

    @property
    def good(self) -> bool:
        return not (self.gone or self.refused)


def read(body: bytes, message_id: str = "") -> Content:
    """Of whatever bytes."""
    try:
        event = CloudEvent.decode(body)
        data = msgspec.json.decode(event.data)
    except (Malformed, *UNREADABLE):
        return Content(message_id, gist=f"no CloudEvent, {len(body)} bytes")
    fields = data if isinstance(data, dict) else {}
    order_id = fields.get("order_id") or (event.subject if event.type.startswith("store.orders.") else "")
    return Content(event.id, event.type, str(order_id), gist(data))


def gist(data: Any) -> str:
    """Ids, moments and numbers as they are; of any other text only its length, for somebody may be named in it."""
    return shown(_gist(data, DEEPEST))


def _gist(value: Any, deeper: int) -> str:
    match value:
        case dict() if deeper:
            fields = [f"{key}: {_gist(each, deeper - 1)}" for key, each in list(value.items())[:MOST_FIELDS]]
            return "{" + ", ".join([*fields, "…"] if len(value) > MOST_FIELDS else fields) + "}"
        case dict() | list():
            return f"<{len(value)} {'items' if isinstance(value, list) else 'fields'}>"
        case str() if not PLAIN.fullmatch(value):
            return f"<{len(value)} characters>" if value else '""'
        case _:
            return str(value)


def shown(text: str) -> str:
    """On a line of a terminal, which nothing in it can move or colour."""
    plain = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return plain if len(plain) <= MOST_CHARACTERS else plain[: MOST_CHARACTERS - 1] + "…"


def lines(letter: DeadLetter) -> Iterator[str]:
    content = letter.content
    order = f"   order {shown(content.order_id)}" if content.order_id else ""
    yield f"  {shown(content.id) or '(without an id)'}   {shown(content.type) or '(of no type)'}{order}"
    at = f"{letter.at:%Y-%m-%d %H:%M:%S} UTC, " if letter.at else ""
    times = "1 delivery" if letter.deliveries == 1 else f"{letter.deliveries} deliveries"
    said = f"{letter.reason}: {letter.description}" if letter.description else letter.reason or "no reason is given"
    yield f"      {at}{times}; {shown(said)}"
    yield f"      {content.gist}"


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(text, each) for each in patterns)
