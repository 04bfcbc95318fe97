"""Between azure-functions and our messages: facts in, commands out."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeVar

import azure.functions as func
import msgspec

from libs.common import telemetry
from libs.common.errors import Malformed
from libs.common.messages import Command, Fact, encode_command
from libs.common.telemetry import Kind

F = TypeVar("F", bound=Fact)
Queues = Mapping[str, func.Out[str]]  # by the service that owns the queue


def trace(event: func.CloudEvent, function: str) -> AbstractContextManager[str]:
    """Goes on with the trace that the event carries."""
    about = {"faas.trigger": "pubsub", "messaging.system": "eventgrid", "messaging.message.id": event.id}
    return telemetry.trace(str(event.extension_attrs.get("traceparent", "")), function, Kind.CONSUMER, about)


def read(event: func.CloudEvent, kinds: Sequence[type[F]]) -> F:
    """Raises Malformed, and the function should fail with it. It has no other way to refuse an event: Event Grid tries
    it to the end of its schedule and keeps it as a dead letter, where an operator finds it; to return would lose it.
    """
    for kind in kinds:
        if kind.type == event.type:
            try:
                return msgspec.convert(event.get_json(), kind)
            except msgspec.ValidationError as error:
                raise Malformed(f"{event.type}: {error}") from error
    raise Malformed(f"nothing here hears {event.type}")


def name(fact: Fact) -> str:
    """As logs say it: order-placed."""
    return fact.type.split(".")[2]


def send(command: Command, queues: Queues, *, sender: str, because: func.CloudEvent, fact: Fact) -> None:
    """To the queue of the service that takes it. A repeat of the event sends the command under the same id."""
    put(command, queues, sender=sender, cause=f"{because.source} {because.id}", at=fact.at)


def put(command: Command, queues: Queues, *, sender: str, cause: str, at: datetime) -> None:
    """The same, because of what is no event of ours."""
    body = encode_command(command, f"/functions/{sender}", cause=cause, at=at, traceparent=telemetry.traceparent())
    queues[command.owner()].set(body.decode())
