"""What a publisher sends, read: CloudEvents 1.0 (one, a batch, or binary) and Event Grid's own schema."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Raw, Struct, field

from localcloud.subscription import Schema

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
OWN = "application/json"
MOST_EVENTS = 5_000
VERSION: Final = "ce-specversion"  # in the header, it says that the rest is there too: binary mode
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

NonEmpty = Annotated[str, Meta(min_length=1)]


class Malformed(Exception):
    """The body is not what its content type says."""


class TooMany(Exception):
    """The batch has more events than Event Grid takes."""


class Attributes(Struct, frozen=True):
    """The required attributes (CloudEvents 1.0.2, section "Required Attributes"); any others may stand beside them."""

    specversion: Literal["1.0"]
    id: NonEmpty
    source: NonEmpty
    type: NonEmpty
    subject: str | None = None  # null is as if it were not there (JSON format, section 2.2)


class Own(Struct, frozen=True):
    """Event Grid's own schema: what must be there. `topic` is Event Grid's to say."""

    id: NonEmpty
    type: NonEmpty = field(name="eventType")
    subject: NonEmpty
    at: datetime = field(name="eventTime")
    version: str = field(name="dataVersion")
    metadata_version: Literal["1", ""] | None = field(name="metadataVersion", default=None)


REQUIRED: Final[Mapping[Schema, Any]] = {"cloudevents": Attributes, "eventgrid": Own}


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    content: bytes  # the JSON object as published
    subject: str = ""
    schema: Schema = "cloudevents"

    def read(self) -> dict[str, Any]:
        """Raises Malformed: whoever reads it stands deeper than who took it."""
        try:
            known: dict[str, Any] = msgspec.json.decode(self.content)
        except UNREADABLE as error:
            raise Malformed(str(error)) from error
        return known


def parse(
    media_type: str, body: bytes, headers: Mapping[str, str] | None = None, schema: Schema = "cloudevents"
) -> list[Event]:
    """Raises Malformed, naming the event by its place from 0 and the attribute, or TooMany."""
    if schema == "eventgrid":
        if media_type != OWN:
            raise Malformed(f"This topic takes events in Event Grid's schema, as {OWN}, not {media_type}.")
        return [_event(index, each, schema) for index, each in enumerate(_contents(body, batch=True))]
    if headers and VERSION in headers:
        return [_event(0, _structured(headers, body), schema)]
    if media_type not in (ONE, BATCH):
        raise Malformed(f"The content type must be {ONE} or {BATCH}, not {media_type}.")
    return [_event(index, each, schema) for index, each in enumerate(_contents(body, batch=media_type == BATCH))]


def _contents(body: bytes, *, batch: bool) -> Sequence[bytes]:
    try:
        text = body.decode()  # msgspec takes Raw without a look at its encoding
        contents = msgspec.json.decode(text, type=list[Raw]) if batch else [body]
    except UNREADABLE as error:
        raise Malformed(str(error)) from error
    if len(contents) > MOST_EVENTS:
        raise TooMany(f"The batch has more than {MOST_EVENTS} events.")
    return list(map(bytes, contents))


def _event(index: int, content: bytes, schema: Schema) -> Event:
    """Reads the whole of it: what nobody could read later, as 1e999, is refused now."""
    try:
        known: Attributes | Own = msgspec.convert(msgspec.json.decode(content), REQUIRED[schema])
        return Event(known.type, content, known.subject or "", schema)
    except UNREADABLE as error:
        raise Malformed(f"Event {index}: {error}") from error


def _structured(headers: Mapping[str, str], body: bytes) -> bytes:
    """The HTTP binding's binary mode: attributes in headers, percent-encoded, and the body is the data."""
    said: dict[str, Any] = {
        name[3:].lower(): unquote(value) for name, value in headers.items() if name.lower().startswith("ce-")
    }
    for theirs in ("data", "data_base64"):  # what the body says
        said.pop(theirs, None)
    if kind := headers.get("Content-Type"):
        said["datacontenttype"] = kind
    if body:
        said |= _data(kind or OWN, body)
    try:
        return msgspec.json.encode(said)
    except UnicodeEncodeError as error:
        raise Malformed(str(error)) from error


def _data(kind: str, body: bytes) -> dict[str, Any]:
    media_type = kind.partition(";")[0].strip().lower()
    if media_type.endswith(("/json", "+json")):
        return {"data": Raw(_json(body))}
    if media_type.startswith("text/"):
        try:
            return {"data": body.decode()}
        except UnicodeDecodeError as error:
            raise Malformed(str(error)) from error
    return {"data_base64": base64.b64encode(body).decode()}


def _json(body: bytes) -> bytes:
    try:
        msgspec.json.decode(body.decode())
    except UNREADABLE as error:
        raise Malformed(f"The data is no JSON: {error}") from error
    return body
