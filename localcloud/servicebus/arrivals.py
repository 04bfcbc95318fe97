"""How messages come to lie in queues: kept, put off, forwarded, or copied to subscriptions; all in one commit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from localcloud.journal import Statement
from localcloud.servicebus import ledger
from localcloud.servicebus.entry import Entry, State
from localcloud.servicebus.errors import NotAllowed, QueueFull
from localcloud.servicebus.message import ENQUEUED_NUMBER, LATEST, Message
from localcloud.servicebus.queue import Queue
from localcloud.servicebus.remembrance import Remembrance

BLOCK: Final = 1_000
MOST_HOPS: Final = 4  # from queue to queue
TOO_FAR: Final = ("MaxTransferHopCountExceeded", f"The message was forwarded more than {MOST_HOPS} times.")
NO_SESSION: Final = (
    "Session ID is null.",
    "Session enabled entity doesn't allow a message whose session identifier is null.",
)


class Inlet(Protocol):
    """Where messages arrive."""

    name: str
    place: int
    queue: Queue
    seen: Remembrance | None  # where duplicates are looked for

    @property
    def ttl_ms(self) -> int | None: ...

    def onward(self, message: Message) -> "Sequence[tuple[Inlet, Message]] | None":
        """Where it goes from here; None: it stays."""

    @property
    def main(self) -> "Inlet": ...

    def sub_queue(self, place: int) -> "Inlet": ...

    def appear(self, entry: Entry, message: Message) -> None:
        """It is on disk."""

    def attend(self) -> None:
        """Whoever waits may get something now."""


@dataclass(slots=True)
class Arrival:
    at: int
    kept: list[tuple[Inlet, Entry, Message]] = field(default_factory=list)
    _remembered: list[tuple[Inlet, str]] = field(default_factory=list)
    _also: list[Statement] = field(default_factory=list)

    def bring(self, to: Inlet, message: Message, hops: int = 0) -> None:
        """Raises QueueFull, NotAllowed or Malformed; then undo."""
        if to.seen is not None and (named := message.properties.message_id) is not None:
            if not to.seen.is_new(str(named), self.at):
                return
            self._remembered.append((to, str(named)))
            self._also += to.seen.statements(str(named), self.at)
        if message.due is not None and message.due > self.at:
            if not _fits(to, message):
                raise NotAllowed(NO_SESSION[1])
            self._keep(to, message.living(to.ttl_ms), state=State.SCHEDULED, at=message.due)
        else:
            self.pass_on(to, message, hops)

    def pass_on(self, at: Inlet, message: Message, hops: int = 0) -> None:
        """As `bring`, for one that was looked at before. It lives no longer than `at` says, wherever it goes."""
        message = message.living(at.ttl_ms)
        onward = at.onward(message)
        if onward is None:
            self._stay(at, message, hops)
        elif onward and hops >= MOST_HOPS:
            self._keep(at.sub_queue(ledger.STUCK), message.dead_lettered(*TOO_FAR), state=State.ACTIVE, at=self.at)
        else:
            number = self._number(at)  # also of what nobody wants
            for to, copy in onward:
                self.bring(to, copy.annotated(ENQUEUED_NUMBER, number), hops + 1)

    def statements(self, *more: Statement) -> list[Statement]:
        stored = [ledger.stored(inlet.name, inlet.place, entry, message) for inlet, entry, message in self.kept]
        return [*stored, *self._also, *more]

    def undo(self) -> None:
        for inlet, entry, _ in self.kept:
            inlet.queue.room.give_back(entry)
        for inlet, named in self._remembered:
            if inlet.seen is not None:
                inlet.seen.forget(named)

    def settle(self, error: BaseException | None) -> None:
        if error:
            return self.undo()
        inlets = dict[Inlet, None]()
        for inlet, entry, message in self.kept:
            inlet.appear(entry, message)
            inlets[inlet] = None
        for inlet in inlets:
            inlet.attend()
        return None

    def _stay(self, inlet: Inlet, message: Message, hops: int) -> None:
        if _fits(inlet, message):
            self._keep(inlet, message, state=State.ACTIVE, at=self.at)
        elif hops:
            self._keep(inlet.sub_queue(ledger.DEAD), message.dead_lettered(*NO_SESSION), state=State.ACTIVE, at=self.at)
        else:
            raise NotAllowed(NO_SESSION[1])

    def _keep(self, inlet: Inlet, message: Message, *, state: State, at: int) -> None:
        ttl = message.header.ttl
        expires = min(at + ttl, LATEST) if ttl is not None and inlet.place == ledger.MAIN else None
        session = message.properties.group_id if inlet.queue.sessions else None
        entry = Entry(self._number(inlet), at, message.size, state=int(state), expires=expires, session=session)
        try:
            inlet.queue.room.take(entry)
        except QueueFull:
            raise QueueFull(inlet.name) from None
        self.kept.append((inlet, entry, message))

    def _number(self, inlet: Inlet) -> int:
        """On disk they are reserved in blocks: after a kill, some are left out."""
        queue = inlet.main.queue
        number = queue.next_number()
        if number > queue.reserved:
            queue.reserved = number + BLOCK
            self._also.append(ledger.numbered(inlet.name, queue.reserved))
        return number


def _fits(inlet: Inlet, message: Message) -> bool:
    """Where sessions are required it names one."""
    return not inlet.queue.sessions or message.properties.group_id is not None
