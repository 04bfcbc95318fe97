"""Messages and events as people read them: peeked, so nothing is locked, counted or settled by looking."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec import field as named

from localcloud.eventgrid.pending import Delivery
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.entry import Entry, State
from localcloud.servicebus.errors import Malformed
from localcloud.servicebus.message import BODY, DESCRIPTION, REASON, Message, parts
from localcloud.servicebus.performatives import Properties

MOST: Final = 50  # at once
LONGEST_BODY: Final = 16_384  # characters
LONGEST_PROPERTY: Final = 1_000
MOST_PROPERTIES: Final = 100
TRACE: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
CARRIERS: Final = ("traceparent", "Diagnostic-Id")  # among a message's properties


class Peeked(Struct, frozen=True):
    """A message of Service Bus."""

    number: int
    state: str
    id: str
    subject: str
    session: str
    enqueued: datetime  # or when it is due
    expires: datetime | None
    locked_until: datetime | None
    deliveries: int
    content_type: str
    properties: dict[str, str]
    reason: str
    description: str
    trace: str
    body: str
    bytes: int
    cut: bool  # there is more of the body than is shown


class Shown(Struct, frozen=True):
    """As much of an event as is shown."""

    type: str
    id: str
    subject: str
    trace: str
    body: str
    cut: bool


class Waiting(Struct, frozen=True):
    """An event that Event Grid has yet to deliver."""

    id: str
    published: datetime
    due: datetime
    attempts: int
    event: Shown


class _Envelope(Struct, frozen=True):
    type: str = ""
    own_type: str = named(name="eventType", default="")  # in Event Grid's schema
    id: str = ""
    subject: str = ""
    traceparent: str = ""


def peek(entity: Entity, start: int, most: int) -> list[Peeked]:
    return [_peeked(entity, entry) for entry in entity.queue.peek(start, most)]


def waiting(deliveries: Iterable[Delivery]) -> list[Waiting]:
    return [_waiting(each) for each in deliveries]


def _peeked(entity: Entity, entry: Entry) -> Peeked:
    message = entity.content(entry)
    said, application = _said(message)
    body = _body(message)
    return Peeked(
        number=entry.number,
        state="locked" if entry.token else State(entry.state).name.lower(),
        id=_text(said.message_id),
        subject=_text(said.subject),
        session=_text(entry.session),
        enqueued=_moment(entry.enqueued),
        expires=None if entry.expires is None else _moment(entry.expires),
        locked_until=None if entry.locked_until is None else _moment(entry.locked_until),
        deliveries=entry.deliveries,
        content_type=_text(said.content_type),
        properties={key: value for key, value in application.items() if key not in (REASON, DESCRIPTION)},
        reason=application.get(REASON, ""),
        description=application.get(DESCRIPTION, ""),
        trace=_trace(application, body),
        body=body[:LONGEST_BODY],
        bytes=entry.size,
        cut=len(body) > LONGEST_BODY,
    )


def shown(event: bytes) -> Shown:
    body = event.decode(errors="replace")
    about = _envelope(body)
    return Shown(
        type=about.type or about.own_type,
        id=about.id,
        subject=about.subject,
        trace=_trace({}, body),
        body=body[:LONGEST_BODY],
        cut=len(body) > LONGEST_BODY,
    )


def _waiting(of: Delivery) -> Waiting:
    return Waiting(
        id=of.message_id,
        published=datetime.fromtimestamp(of.since, UTC),
        due=datetime.fromtimestamp(of.due, UTC),
        attempts=of.attempts,
        event=shown(of.event),
    )


def _said(message: Message) -> tuple[Properties, dict[str, str]]:
    """The broker passes on what it does not read, so a sender may have written anything there."""
    try:
        return message.properties, _texts(message.application)
    except Malformed as error:
        return Properties(), {"(unreadable)": str(error)}


def _body(message: Message) -> str:
    """What cannot be read is said so, not hidden: it lies there all the same."""
    try:
        return "".join(_text(part.content()) for part in parts(message.bare) if part.section in BODY)
    except Malformed as error:
        return f"(unreadable: {error})"


def _texts(properties: dict[Any, Any]) -> dict[str, str]:
    some = list(properties.items())[:MOST_PROPERTIES]
    return {_text(key)[:LONGEST_PROPERTY]: _text(value)[:LONGEST_PROPERTY] for key, value in some}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _trace(properties: dict[str, str], body: str) -> str:
    said = [properties.get(name, "") for name in CARRIERS] + [_envelope(body).traceparent]
    return next((known[1] for each in said if (known := TRACE.fullmatch(each))), "")


def _envelope(body: str) -> _Envelope:
    try:
        return msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _Envelope()


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
