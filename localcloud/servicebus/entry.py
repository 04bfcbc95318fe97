"""A message in its queue: its number, its state, its lock. Its content may lie on disk only."""

from dataclasses import dataclass
from enum import IntEnum

from localcloud.servicebus import encoding
from localcloud.servicebus.message import Message

SEQUENCE_NUMBER, ENQUEUED = encoding.symbol("x-opt-sequence-number"), encoding.symbol("x-opt-enqueued-time")
LOCKED_UNTIL, MESSAGE_STATE = encoding.symbol("x-opt-locked-until"), encoding.symbol("x-opt-message-state")


class State(IntEnum):
    """As `x-opt-message-state` says it."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(slots=True, eq=False)
class Entry:
    """Times are in milliseconds since the epoch."""

    number: int
    enqueued: int  # when it was, or is due to be
    size: int  # bytes; the sender's part
    message: Message | None = None  # None: on disk only
    state: int = State.ACTIVE
    deliveries: int = 0  # how often it was handed out
    expires: int | None = None
    session: str | None = None
    token: bytes | None = None  # of its lock: also the tag of its delivery, a .NET Guid
    locked_until: int | None = None  # None in a session, whose lock it shares

    @property
    def alarm(self) -> int | None:
        """When time alone changes it."""
        if self.token:
            return self.locked_until
        if self.state == State.SCHEDULED:
            return self.enqueued
        return self.expires if self.state == State.ACTIVE else None

    def encoded(self, message: Message, shown_until: int | None = None) -> bytes:
        """As a receiver gets it. The delivery under way is not yet counted."""
        own = [
            SEQUENCE_NUMBER + encoding.long(self.number),
            ENQUEUED + encoding.timestamp(self.enqueued),
            MESSAGE_STATE + encoding.int32(self.state),
        ]
        until = self.locked_until or shown_until
        if self.token and until is not None:
            own.append(LOCKED_UNTIL + encoding.timestamp(until))
        return message.encoded(own, self.deliveries - 1 if self.token else self.deliveries)
