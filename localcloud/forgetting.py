"""Whoever is erased is forgotten by the mail box, too: it learns of that from the fact, on its way to a queue."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog
from msgspec import Struct

from localcloud.eventgrid import Enqueue
from localcloud.journal import Full
from localcloud.mail import Letters
from localcloud.servicebus.broker import Envelope
from localcloud.servicebus.errors import QueueFull

ERASED = b"store.customers.customer-erased.v1"

log = structlog.get_logger()


class Erasure(Struct, frozen=True):
    customer_id: str
    at: datetime


class Erased(Struct, frozen=True):
    """As much of the CloudEvent as matters here."""

    type: str
    data: Erasure


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Stands before the queues. The fact goes on once the letters are gone; told again, it finds none."""

    enqueue: Enqueue
    letters: Letters

    async def __call__(self, queue: str, body: bytes, envelope: Envelope) -> None:
        if ERASED in body and (erasure := _erasure(body)):
            try:
                await self.letters.forget(erasure.customer_id, erasure.at)
            except (Full, sqlite3.Error) as error:
                raise QueueFull(f"the mail box can't forget now: {type(error).__name__}") from error
            log.info("letters.forgotten", customer_id=erasure.customer_id)
        await self.enqueue(queue, body, envelope)


def _erasure(body: bytes) -> Erasure | None:
    try:
        event = msgspec.json.decode(body, type=Erased)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # somebody else's fact, or poison
        return None
    return event.data if event.type.encode() == ERASED else None
