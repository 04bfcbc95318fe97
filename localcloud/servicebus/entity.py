"""What an address names: a queue, a subscription or a topic, kept on disk, and whoever waits there for a message.

Memory changes first and an answer waits for the disk; only a new message is seen by no one before it is stored. A
write that fails is answered with an error: memory is then ahead of the disk, and at worst a message comes once more.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from localcloud.journal import when_done
from localcloud.servicebus import ledger
from localcloud.servicebus.arrivals import Arrival, Inlet
from localcloud.servicebus.contents import Contents
from localcloud.servicebus.entry import Entry, State
from localcloud.servicebus.errors import Disabled, Refused, SessionLockLost, UnknownEntity
from localcloud.servicebus.ground import Ground
from localcloud.servicebus.lanes import Consumer, Lane
from localcloud.servicebus.message import DEAD_LETTER_SOURCE, Message
from localcloud.servicebus.queue import Queue
from localcloud.servicebus.remembrance import Remembrance
from localcloud.servicebus.sessions import Sessions

MOST_AT_ONCE: Final = 500  # whose time has come, before others get their turn
AGAIN_MS: Final = 1_000  # after which what is due is tried again, where there was no room
EXPIRED: Final = ("TTLExpiredException", "The message expired and was dead lettered.")

log = structlog.get_logger()
Onward = Callable[[Message], "Sequence[tuple[Inlet, Message]] | None"]


class Entity:
    def __init__(
        self, name: str, queue: Queue, ground: Ground, *, under: "Entity | None" = None, place: int = ledger.MAIN
    ) -> None:
        self.name, self.queue, self.place = name, queue, place
        self.ground, self.write, self.main = ground, ground.write, under or self
        self.contents = Contents(name, ground.journal, ground.memory)
        self.sessions = Sessions(queue)
        self.seen: Remembrance | None = None
        self.ttl_ms: int | None = None
        self.dead_letters: Entity | None = None
        self.stuck: Entity | None = None  # what could not be forwarded
        self.buries_expired = False
        self.exit: Onward | None = None  # a topic's, or of what is forwarded
        self.dead_exit: Callable[[], Entity | None] = lambda: None  # where dead letters are forwarded to
        self.consumers: set[Consumer] = set()  # that are attached
        self.takes = self.gives = True  # it is not disabled
        self.is_gone = False
        self.used = ground.clock()  # last by whoever receives, peeks or asks; for `idleness`
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0

    # --- arriving -----------------------------------------------------------------------------------------------------

    def send(self, messages: Sequence[Message]) -> asyncio.Future[None]:
        """Done when they are on disk. Raises what `arrive` does."""
        return self.arrive(messages)[1]

    def arrive(self, messages: Sequence[Message]) -> tuple[Arrival, asyncio.Future[None]]:
        """Raises QueueFull, NotAllowed, Disabled, UnknownEntity or Malformed."""
        if self.is_gone:
            raise UnknownEntity(self.name)
        if not self.takes:
            raise Disabled(self.name)
        arrival = Arrival(self.ground.clock())
        try:
            for message in messages:
                arrival.bring(self, message)
        except Refused:
            arrival.undo()
            raise
        done = self.write(*arrival.statements())
        when_done(done, arrival.settle)
        return arrival, done

    def onward(self, message: Message) -> "Sequence[tuple[Inlet, Message]] | None":
        return self.exit(message) if self.exit else None

    def sub_queue(self, place: int) -> "Entity":
        if place == ledger.MAIN:
            return self.main
        return (self.main.dead_letters if place == ledger.DEAD else self.main.stuck) or self.main

    def appear(self, entry: Entry, message: Message) -> None:
        self.ground.memory.offer(entry, message)
        self.put(entry)

    def put(self, entry: Entry) -> None:
        self.queue.put(entry)
        if self.queue.sessions:
            self.sessions.offer(self.queue.lane(entry.session))

    def content(self, entry: Entry) -> Message:
        return self.contents.of(entry, self.queue.entries)

    def encoded(self, entry: Entry) -> bytes:
        until = self.queue.lane(entry.session).held_until if self.queue.sessions and entry.token else None
        return entry.encoded(self.content(entry), until)

    # --- giving -------------------------------------------------------------------------------------------------------

    def wait(self, consumer: Consumer) -> None:
        """It is given messages for as long as it is ready, in turn with others."""
        self.consumers.add(consumer)
        if consumer not in consumer.lane.waiting:
            consumer.lane.waiting.append(consumer)
        self._dispatch(consumer.lane)

    def leave(self, consumer: Consumer) -> None:
        self.main.used = self.ground.clock()
        self.consumers.discard(consumer)
        if consumer in consumer.lane.waiting:
            consumer.lane.waiting.remove(consumer)

    def attend(self) -> None:
        if self.queue.sessions:
            for lane in list(self.queue.held.values()):
                self._dispatch(lane)
            self.sessions.serve(self.ground.clock())
        else:
            self._dispatch(self.queue.lane(None))
        self.arm()

    def _dispatch(self, lane: Lane) -> None:
        lent: list[Entry] = []
        while lane.count and self.main.gives and (consumer := lane.next_consumer()):
            expires = self.queue.first(lane).expires
            if expires is not None and expires <= self.ground.clock():
                self.arm()  # it is gone first
                break
            consumer.reserve()
            if consumer.deletes:
                self._hand_over(consumer, lane)
                continue
            token = self.ground.new_token()
            entry = self.queue.lock_first(lane, token, self.ground.clock())
            lent.append(entry)
            consumer.deliver(self.encoded(entry), token)
        if lent:
            self.write(*ledger.counted(self.name, lent))
            self.arm()

    def _hand_over(self, consumer: Consumer, lane: Lane) -> None:
        """At most once: it is gone from disk before it is sent."""
        entry = self.queue.take(lane)
        encoded = self.encoded(entry)
        self.contents.forget(entry)
        done = self.write(ledger.removed(self.name, entry.number))
        when_done(done, lambda error: None if error else consumer.deliver(encoded, self.ground.new_token()))

    # --- losing -------------------------------------------------------------------------------------------------------

    def remove(self, entry: Entry) -> asyncio.Future[None]:
        self.queue.remove(entry)
        self.contents.forget(entry)
        return self.write(ledger.removed(self.name, entry.number))

    def expire(self, entry: Entry) -> None:
        if self.buries_expired and self.dead_letters:
            self.bury(entry, *EXPIRED)
        else:
            self.remove(entry)

    def rewrite(self, entry: Entry, message: Message) -> None:
        self.contents.change(entry, message, self.write(ledger.rewritten(self.name, self.place, entry, message)))

    def bury(self, entry: Entry, reason: str | None, description: str | None) -> asyncio.Future[None]:
        """Into the dead letters, or where these are forwarded to."""
        dead_letters = self.sub_queue(ledger.DEAD)
        message = self.content(entry).dead_lettered(reason, description)
        if (to := self.dead_exit()) and (done := self._forward_dead(entry, message, to)):
            return done
        self.queue.leave(entry)
        entry.state, entry.expires = State.ACTIVE, None
        done = self.write(ledger.rewritten(self.name, ledger.DEAD, entry, message))
        self.contents.forget(entry)
        dead_letters.contents.change(entry, message, done)
        dead_letters.put(entry)
        dead_letters.attend()
        return done

    def _forward_dead(self, entry: Entry, message: Message, to: "Entity") -> asyncio.Future[None] | None:
        arrival = Arrival(self.ground.clock())
        try:
            arrival.bring(to, message.annotated(DEAD_LETTER_SOURCE, self.name), hops=1)
        except Refused:
            arrival.undo()
            return None
        self.queue.remove(entry)
        self.contents.forget(entry)
        done = self.write(*arrival.statements(ledger.removed(self.name, entry.number)))
        when_done(done, arrival.settle)
        return done

    def recover(self, entry: Entry) -> None:
        """Its delivery counts and is over: it comes again, or is dead."""
        if self.queue.is_exhausted(entry):
            description = f"Message could not be consumed after {self.queue.most_deliveries} delivery attempts."
            self.bury(entry, "MaxDeliveryCountExceeded", description)
        else:
            self.give_back(entry)

    def give_back(self, entry: Entry) -> None:
        """To where it was before it was locked."""
        self.queue.unlock(entry)
        self.put(entry)

    def bury_exhausted(self) -> None:
        """What was locked for the last time when the broker ended."""
        if self.queue.most_deliveries and self.dead_letters:
            for entry in [each for each in self.queue.entries.values() if each.deliveries and not each.token]:
                if self.queue.is_exhausted(entry) and entry.state == State.ACTIVE:
                    self.recover(entry)

    def dismiss(self, why: Refused) -> None:
        """It is no more."""
        self.is_gone = True
        self.sessions.dismiss(why)
        for entity in filter(None, (self, self.dead_letters, self.stuck)):
            for consumer in list(entity.consumers):
                consumer.dismiss(why)

    def let_go(self, lane: Lane, why: Refused) -> None:
        """Who held the session has lost it."""
        for entry in self.queue.let_go(lane):
            self.recover(entry)
        for consumer in [each for each in self.consumers if each.lane is lane]:
            consumer.dismiss(why)
        self.sessions.offer(lane)
        self.queue.forget_if_empty(lane)

    # --- time ---------------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        alarm = self.queue.next_alarm
        if alarm is None or (self._timer and self._timer_at <= alarm):
            return
        if self._timer:
            self._timer.cancel()
        seconds = max(alarm - self.ground.clock(), 1) / 1000
        self._timer, self._timer_at = asyncio.get_running_loop().call_later(seconds, self._ring), alarm

    def close(self) -> None:
        if not self.is_gone:
            self.write(ledger.numbered(self.name, self.queue.last_number))
        for entity in filter(None, (self, self.dead_letters, self.stuck)):
            if entity._timer:
                entity._timer.cancel()
            entity._timer = None

    def _ring(self) -> None:
        self._timer = None
        at = self.ground.clock()
        for lane in [lane for lane in self.queue.held.values() if not lane.is_held(at)]:
            self.let_go(lane, SessionLockLost())
        for entry in self.queue.rung(at, MOST_AT_ONCE):
            if entry.token:
                self.recover(entry)
            elif entry.state == State.SCHEDULED:
                self._enqueue(entry, at)
            else:
                self.expire(entry)
        self.attend()

    def _enqueue(self, entry: Entry, at: int) -> None:
        """A scheduled one is due: it gets a new number, as if it were sent now."""
        message, before = self.content(entry), entry.number
        if self.exit:
            return self._enqueue_onward(entry, message)
        self.queue.leave(entry)
        self.contents.forget(entry)
        entry.number, entry.state = self.queue.next_number(), State.ACTIVE
        entry.expires = entry.expires and entry.expires - entry.enqueued + at
        entry.enqueued = at
        self.queue.reserved = max(self.queue.reserved, entry.number)
        numbered = ledger.numbered(self.name, self.queue.reserved)
        done = self.write(ledger.enqueued(self.name, before, entry), numbered)
        self.contents.change(entry, message, done)
        self.put(entry)
        return None

    def _enqueue_onward(self, entry: Entry, message: Message) -> None:
        arrival = Arrival(self.ground.clock())
        try:
            arrival.pass_on(self, message._replace(due=None))
        except Refused as refused:
            arrival.undo()
            log.warning("message.not_forwarded", entity=self.name, reason=str(refused))
            return self.queue.postpone(entry, arrival.at + AGAIN_MS)
        self.queue.remove(entry)
        self.contents.forget(entry)
        done = self.write(*arrival.statements(ledger.removed(self.name, entry.number)))
        when_done(done, arrival.settle)
        return None
