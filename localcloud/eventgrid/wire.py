"""What a publisher sends: CloudEvents 1.0 in structured JSON mode, one or a batch, kept as they came."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MOST_EVENTS = 5_000

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
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    content: bytes  # the JSON object as published
    subject: str = ""


def parse(media_type: str, body: bytes) -> list[Event]:
    """Raises Malformed, naming the event by its place from 0 and the attribute, or TooMany."""
    if media_type not in (ONE, BATCH):
        raise Malformed(f"The content type must be {ONE} or {BATCH}, not {media_type}.")
    try:
        text = body.decode()  # msgspec takes Raw without a look at its encoding
        contents = [body] if media_type == ONE else list(map(bytes, msgspec.json.decode(text, type=list[Raw])))
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise Malformed(str(error)) from error
    if len(contents) > MOST_EVENTS:
        raise TooMany(f"The batch has more than {MOST_EVENTS} events.")
    return [_event(index, content) for index, content in enumerate(contents)]


def _event(index: int, content: bytes) -> Event:
    try:
        known = msgspec.json.decode(content, type=Attributes)
        return Event(known.type, content, known.subject)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"Event {index}: {error}") from error
