"""The conversation of the system: every fact and command, one module per owner.

On the wire each is a CloudEvent 1.0 in structured JSON form, on Event Grid (facts) and on Service Bus (both).
"""

from datetime import datetime
from typing import ClassVar, Self, TypeVar
from uuid import UUID, uuid5

import msgspec
from msgspec import Raw, Struct

from libs.common.clock import Moment
from libs.common.errors import Malformed

SOURCE = "/services/"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_IDS = UUID("5c3f2b1e-6d0a-5b8e-9f4d-2a7c1e0b9d36")  # the namespace of our deterministic ids

# What msgspec raises on hostile bytes: no JSON or the wrong shape, no UTF-8, nested too deeply.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

M = TypeVar("M", bound="Message")


class Message(Struct, frozen=True, kw_only=True):
    """`type` is its name on the wire, `subject` the field with the aggregate's id."""

    type: ClassVar[str]
    subject: ClassVar[str]

    @classmethod
    def owner(cls) -> str:
        """The service that tells the fact, or takes the command: `store.<owner>.<name>.v<n>`."""
        return cls.type.split(".")[1]


class Fact(Message, frozen=True, kw_only=True):
    """Something has happened. `version` rises with every change of the aggregate."""

    version: int
    at: Moment

    def id(self) -> UUID:
        """The same change always has the same id, so a repeat is the same message."""
        return uuid5(_IDS, f"{self.type} {getattr(self, self.subject)} {self.version}")


class Command(Message, frozen=True, kw_only=True):
    """Somebody shall do something. It is sent because of a fact, which is its cause."""

    def id(self, cause: str) -> UUID:
        return uuid5(_IDS, f"{self.type} {cause}")


class CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CloudEvents 1.0, JSON format, with the distributed-tracing extension."""

    id: str
    source: str
    type: str
    time: str
    subject: str = ""
    traceparent: str = ""
    data: Raw = Raw(b"{}")
    specversion: str = ""
    datacontenttype: str = ""

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Raises Malformed."""
        try:
            event = _decoder.decode(body)
        except UNREADABLE as error:
            raise Malformed(f"not a CloudEvent: {error}") from error
        if event.specversion != "1.0":
            raise Malformed("not a CloudEvent: specversion must be 1.0")
        return event  # type: ignore[return-value]

    @property
    def cause(self) -> str:
        """Source and id are unique together (CloudEvents 1.0, section 3.1.1)."""
        return f"{self.source} {self.id}"


def read(event: CloudEvent, kind: type[M]) -> M:
    """Raises Malformed, naming the field."""
    try:
        return msgspec.json.decode(event.data, type=kind)
    except UNREADABLE as error:
        raise Malformed(f"{event.type}: {error}") from error


_decoder = msgspec.json.Decoder(CloudEvent)
_encoder = msgspec.json.Encoder()


def encode_fact(fact: Fact, traceparent: str) -> bytes:
    return _encode(fact, str(fact.id()), SOURCE + fact.owner(), at=fact.at, traceparent=traceparent)


def encode_command(command: Command, source: str, *, cause: str, at: datetime, traceparent: str) -> bytes:
    """`source` is who sends it, e.g. `/functions/process_order`."""
    return _encode(command, str(command.id(cause)), source, at=at, traceparent=traceparent)


def _encode(message: Message, message_id: str, source: str, *, at: datetime, traceparent: str) -> bytes:
    return _encoder.encode(
        CloudEvent(
            id=message_id,
            source=source,
            type=message.type,
            # Whole seconds with an offset are parsed four times faster by azure-functions than `…123456Z`.
            time=at.isoformat(timespec="seconds"),
            subject=str(getattr(message, message.subject)),
            traceparent=traceparent,
            data=Raw(_encoder.encode(message)),
            specversion="1.0",
            datacontenttype="application/json",
        )
    )
