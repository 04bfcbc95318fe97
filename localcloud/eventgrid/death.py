"""The form of a dead letter: events as they were to be delivered, each with what became of it; written and read."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from localcloud.eventgrid.pending import Delivery, Failure
from localcloud.eventgrid.wire import UNREADABLE
from localcloud.subscription import Schema

MOST_DIGITS: Final = 9  # of a count of attempts
NO_DEATH: Final = "Unreadable"  # in the place of a reason
UNTRIED: Final = "Probation"  # Azure's word for an outcome where no attempt was made in time


class Unreadable(Exception):
    """It is no event that Event Grid has written; look at the blob."""


class Death(Struct, frozen=True):
    reason: str = msgspec.field(name="deadletterreason", default="")
    attempts: int | str = msgspec.field(name="deliveryattempts", default=0)
    outcome: str = msgspec.field(name="lastdeliveryoutcome", default="")
    status: int | str | None = msgspec.field(name="lasthttpstatuscode", default=None)
    published: str = msgspec.field(name="publishtime", default="")
    attempted: str = msgspec.field(name="lastdeliveryattempttime", default="")

    @property
    def deliveries(self) -> int:
        said = str(self.attempts)
        return int(said) if said.isdecimal() and len(said) <= MOST_DIGITS else 0

    @property
    def at(self) -> datetime | None:
        """Of the last attempt."""
        try:
            return msgspec.convert(self.attempted or self.published, datetime)
        except msgspec.ValidationError:
            return None


# What Event Grid adds to an event when it gives up; in its own schema with capitals.
ADDED: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Death))


def blob(subscription: str, message_id: str, at: datetime) -> str:
    """Its name: a dead letter has one only, so that whoever writes it again makes no second one."""
    return f"{subscription.upper()}/{at.year}/{at.month}/{at.day}/{at.hour}/{message_id}.json"


def subscription_of(blob: str, known: Iterable[str]) -> str:
    """Its name stands in the blob's in capitals; empty where we know none such."""
    return next((each for each in known if each.upper() in blob.split("/")), "")


def content(delivery: Delivery, schema: Schema, reason: str, last: Failure | None) -> bytes:
    """An array of one event."""
    about = {
        "deadLetterReason": reason,
        "deliveryAttempts": delivery.attempts,
        "lastDeliveryOutcome": last.outcome if last else UNTRIED,
        "publishTime": _said(delivery.since),
    }
    if last:
        about["lastDeliveryAttemptTime"] = _said(last.at)
    if last and last.status:
        about["lastHttpStatusCode"] = last.status
    if schema == "cloudevents":  # an extension's name is in lower case
        about = {name.lower(): value for name, value in about.items()}
    return msgspec.json.encode([msgspec.json.decode(delivery.event, type=dict[str, Raw]) | about])


def events(content: bytes) -> list[Raw]:
    """None where they can't be read. A single event is as good as an array."""
    try:
        text = content.decode()  # msgspec takes Raw without a look at its encoding
        found = msgspec.json.decode(text, type=list[Raw] | dict[str, Raw])
        return found if isinstance(found, list) else [Raw(content)]
    except UNREADABLE:
        return []


def death(event: Raw) -> Death:
    try:
        fields = msgspec.json.decode(event, type=dict[str, Raw])
        added: dict[str, Any] = {name.lower(): _value(raw) for name, raw in fields.items() if name.lower() in ADDED}
        return msgspec.convert(added, Death)
    except UNREADABLE:
        return Death(reason=NO_DEATH)


def as_published(event: Raw) -> bytes:
    """Raises Unreadable."""
    try:
        fields = msgspec.json.decode(event, type=dict[str, Raw])
    except UNREADABLE as error:
        raise Unreadable(Unreadable.__doc__) from error
    return msgspec.json.encode({name: value for name, value in fields.items() if name.lower() not in ADDED})


def _value(raw: Raw) -> Any:
    return msgspec.json.decode(raw)


def _said(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
