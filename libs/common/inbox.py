"""Messages in: decode, find the reaction, run it; what can't be understood is refused with a reason."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self, TypeVar

import structlog

from libs.common import telemetry
from libs.common.errors import StoreError
from libs.common.measures import Measures
from libs.common.messages import CloudEvent, Message, read
from libs.common.messages.views import heard
from libs.common.telemetry import Kind
from libs.common.watch import timed

log = structlog.get_logger()

S = TypeVar("S")


class Cause(str):
    """Identifies a message: all that `first_time` wants to know. `attempt` is which delivery this is, from 1."""

    __slots__ = ("attempt",)

    attempt: int

    def __new__(cls, source_and_id: str, attempt: int = 1) -> Self:
        cause = super().__new__(cls, source_and_id)
        cause.attempt = attempt
        return cause


# What a service does when it hears a message: reaction(store, message, cause). It may run twice, early or late;
# `cause` identifies the message, and the store's `first_time(cause)` makes its effect happen once.
Reactions = Mapping[type[Message], Callable[[S, Any, Cause], Awaitable[None]]]


class UnknownType(StoreError):
    """No reaction here is for messages of this type."""


async def react(
    body: bytes, reactions: Reactions[S], store: S, *, attempt: int = 1, measures: Measures | None = None
) -> None:
    """Raises Malformed or UnknownType (they will never succeed), or whatever the reaction raises."""
    event = CloudEvent.decode(body)
    kinds = {kind.type: kind for kind in reactions}
    if event.type not in kinds:
        raise UnknownType(f"nothing here hears {event.type}")
    kind = kinds[event.type]
    about = {"messaging.system": "servicebus", "messaging.message.id": event.id}
    measured = (measures or Measures()).reactions
    with telemetry.trace(event.traceparent, f"process {event.type}", Kind.CONSUMER, about), timed(measured, event.type):
        reaction = reactions[kind]
        await reaction(store, read(event, heard(kind, reaction)), Cause(event.cause, attempt))
        log.info("message.handled", type=event.type, subject=event.subject, id=event.id)
