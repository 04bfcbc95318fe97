"""AMQP links, seen from the broker: `Incoming` is where a peer sends, `Outgoing` where it receives."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from localcloud.journal import when_done
from localcloud.servicebus import settling
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import IllegalState, Refused, TooLarge
from localcloud.servicebus.lanes import Lane
from localcloud.servicebus.message import LARGEST
from localcloud.servicebus.performatives import Accepted, Error, Flow, Outcome, Rejected, Transfer

CREDIT: Final = 1_000  # deliveries that a peer may send ahead
SERIAL: Final = 0xFFFFFFFF  # ids and counts wrap (RFC 1982)

Sink = Callable[[bytes, int], asyncio.Future[None] | None]  # a delivery and its message-format; may raise Refused


class Session(Protocol):
    """What a link needs of its session."""

    answers: dict[str, "Outgoing"]  # the links on which a node's answers go, by the node's address

    @property
    def open(self) -> bool:
        """The peer takes more transfers now."""

    def settled(self, delivery_id: int, outcome: Outcome, *, by_receiver: bool) -> None:
        """The last word on a delivery."""

    def flow(self, handle: int, *, delivery_count: int, credit: int, drain: bool) -> None: ...

    def transfer(self, handle: int, payload: bytes, tag: bytes, *, settled: bool) -> int:
        """Its delivery-id."""

    def lend(self, delivery_id: int, link: "Receiver", token: bytes) -> None:
        """The delivery waits to be settled."""

    def detach(self, handle: int, why: Refused) -> None: ...


class Incoming:
    def __init__(self, session: Session, handle: int, sink: Sink) -> None:
        self._session, self._handle, self._sink = session, handle, sink
        self._delivery_count = self._credit = 0
        self._first: Transfer | None = None  # of a delivery in several frames
        self._payload = bytearray()

    def flow(self, flow: Flow) -> None:
        if flow.echo:
            self.grant()

    def grant(self) -> None:
        self._credit = CREDIT
        self._session.flow(self._handle, delivery_count=self._delivery_count, credit=CREDIT, drain=False)

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Raises IllegalState."""
        if self._first is None and not transfer.more and not transfer.aborted:  # nearly all are whole
            self._arrived(transfer, payload, settled=bool(transfer.settled))
        elif not self._collect(transfer, payload):
            return
        self._delivery_count, self._credit = (self._delivery_count + 1) & SERIAL, self._credit - 1
        if self._credit <= CREDIT // 2:
            self.grant()

    def _collect(self, transfer: Transfer, payload: bytes) -> bool:
        """One of several frames. Is it the last?"""
        self._first = first = self._first or transfer
        if len(self._payload) <= LARGEST:
            self._payload += payload
        if transfer.more and not transfer.aborted:
            return False
        if not transfer.aborted:
            self._arrived(first, bytes(self._payload), settled=bool(transfer.settled or first.settled))
        self._first, self._payload = None, bytearray()
        return True

    def use(self) -> None:
        """Nothing waits here for room in the session."""

    def detached(self) -> None:
        """Nothing of it remains."""

    def _arrived(self, first: Transfer, payload: bytes, *, settled: bool) -> None:
        if first.delivery_id is None:
            raise IllegalState("a delivery without an id")
        answer = unheard if settled else partial(self._answer, first.delivery_id)
        try:
            if len(payload) > LARGEST:
                raise TooLarge(LARGEST)
            done = self._sink(payload, first.message_format or 0)
        except Refused as refused:
            return answer(refused)
        if done is None:
            return answer(None)
        return when_done(done, answer)

    def _answer(self, delivery_id: int, error: BaseException | None) -> None:
        self._session.settled(delivery_id, Rejected(problem(error)) if error else Accepted(), by_receiver=True)


def unheard(error: BaseException | None) -> None:
    """The peer settled it itself and waits for no answer."""


class Outgoing:
    def __init__(self, session: Session, handle: int) -> None:
        self._session, self._handle = session, handle
        self._delivery_count = self.credit = 0
        self._attached = True

    @property
    def ready(self) -> bool:
        return self.credit > 0 and self._session.open

    def flow(self, flow: Flow) -> None:
        if flow.link_credit is not None:
            seen = self._delivery_count if flow.delivery_count is None else flow.delivery_count
            under_way = (self._delivery_count - seen) & SERIAL
            self.credit = max(flow.link_credit - under_way, 0)
        self.use()
        if flow.drain:
            self._delivery_count, self.credit = (self._delivery_count + self.credit) & SERIAL, 0
        if flow.drain or flow.echo:
            count, credit = self._delivery_count, self.credit
            self._session.flow(self._handle, delivery_count=count, credit=credit, drain=flow.drain)

    def use(self) -> None:
        """There may be credit now, or room in the session."""

    def reserve(self) -> None:
        """Credit for a transfer that is to come."""
        self.credit, self._delivery_count = self.credit - 1, (self._delivery_count + 1) & SERIAL

    def transfer(self, payload: bytes, tag: bytes, *, settled: bool = True) -> int | None:
        """Its delivery-id, while the link is attached."""
        return self._session.transfer(self._handle, payload, tag, settled=settled) if self._attached else None

    def detached(self) -> None:
        self._attached, self.credit = False, 0


class Receiver(Outgoing):
    """Messages of an entity go to the peer, to be settled by it; or settled, and gone from the entity (`deletes`)."""

    def __init__(self, session: Session, handle: int, entity: Entity, lane: Lane, *, deletes: bool) -> None:
        super().__init__(session, handle)
        self.deletes, self.lane = deletes, lane
        self._entity = entity
        entity.consumers.add(self)

    def use(self) -> None:
        if self.ready:
            self._entity.wait(self)

    def deliver(self, encoded: bytes, token: bytes) -> None:
        delivery_id = self.transfer(encoded, token, settled=self.deletes)
        if delivery_id is not None and not self.deletes:
            self._session.lend(delivery_id, self, token)

    def settle(self, token: bytes, outcome: Outcome) -> asyncio.Future[None]:
        """Raises Refused."""
        return settling.settle(self._entity, token, outcome)

    def dismiss(self, why: Refused) -> None:
        self._session.detach(self._handle, why)

    def detached(self) -> None:
        super().detached()
        self._entity.leave(self)


class SessionReceiver(Receiver):
    """It holds the session for as long as it is attached, if it renews its lock in time."""

    def detached(self) -> None:
        super().detached()
        settling.close_session(self._entity, self.lane)


def problem(error: BaseException) -> Error:
    refused = error if isinstance(error, Refused) else Refused()
    return Error(refused.condition, str(refused))
