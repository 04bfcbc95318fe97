"""An AMQP session: its links, its window, its deliveries that wait to be settled (OASIS AMQP 1.0, part 2.5 and 2.6)."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from localcloud.journal import when_done
from localcloud.servicebus import attachment, frames, frequent
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.errors import IllegalState, NotAllowed, Refused
from localcloud.servicebus.links import SERIAL, Incoming, Outgoing, Receiver, problem, unheard
from localcloud.servicebus.performatives import (
    Accepted,
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Modified,
    Outcome,
    Rejected,
    Released,
    Transfer,
)

WINDOW: Final = 5_000  # transfers that a peer may send ahead
MOST_LINKS: Final = 64
MOST_LENT: Final = 10_000  # deliveries whose outcome is awaited
TRANSFER_OVERHEAD: Final = 64  # bytes of a frame beside its payload; a tag has 16 of them


class Session:
    def __init__(self, peer: Peer, channel: int, begin: Begin, write: Callable[[bytes], None]) -> None:
        self._peer, self._channel, self._write = peer, channel, write
        self.answers: dict[str, Outgoing] = {}  # the links on which a node's answers go, by the node's address
        self._links: dict[int, Incoming | Outgoing] = {}
        self._seeking: dict[int, Callable[[], None]] = {}  # links that wait for a session of a queue: how to give up
        self._lent: dict[int, tuple[Receiver, bytes]] = {}  # by delivery-id
        self._held = deque[bytes]()  # the rest of a delivery that the window cut
        self._next_incoming_id, self._window = begin.next_outgoing_id, begin.incoming_window
        self._next_outgoing_id = self._next_delivery_id = 0
        self._ended = False

    def begin(self) -> None:
        self.send(Begin(self._channel, self._next_outgoing_id, WINDOW, WINDOW, handle_max=MOST_LINKS - 1))

    def receive(self, body: object, payload: bytes) -> None:
        """Raises Refused. Frames for a link that is gone are passed over: they crossed its detach."""
        match body:
            case Transfer():
                self._next_incoming_id = (self._next_incoming_id + 1) & SERIAL
                if isinstance(link := self._links.get(body.handle), Incoming):
                    link.transfer(body, payload)
            case Disposition():
                self._disposition(body)
            case Flow():
                self._flow(body)
            case Attach():
                self._attach(body)
            case Detach():
                self._detach(body)
            case _:
                raise IllegalState(type(body).__name__)

    def end(self) -> None:
        """Locks stay: what was received here can be settled from elsewhere."""
        self._ended = True
        for give_up in self._seeking.values():
            give_up()
        for link in self._links.values():
            link.detached()
        self._links.clear()

    def resume(self) -> None:
        for link in self._links.values():
            link.use()

    # --- what links need ----------------------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """The peer takes more transfers now."""
        return self._peer.writable and self._window > 0 and not self._held

    def send(self, body: tuple[Any, ...]) -> None:
        if not self._ended:
            self._write(frames.encode(self._channel, body))

    def settled(self, delivery_id: int, outcome: Outcome, *, by_receiver: bool) -> None:
        """The last word on a delivery."""
        if type(outcome) is not Accepted:
            self.send(Disposition(role=by_receiver, first=delivery_id, last=delivery_id, settled=True, state=outcome))
        elif not self._ended:
            self._write(frequent.acceptance(self._channel, delivery_id, by_receiver=by_receiver))

    def flow(self, handle: int, *, delivery_count: int, credit: int, drain: bool) -> None:
        self.send(
            Flow(
                self._next_incoming_id,
                WINDOW,
                self._next_outgoing_id,
                WINDOW,
                handle=handle,
                delivery_count=delivery_count,
                link_credit=credit,
                drain=drain,
            )
        )

    def transfer(self, handle: int, payload: bytes, tag: bytes, *, settled: bool) -> int:
        """Its delivery-id."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = (delivery_id + 1) & SERIAL
        room = self._peer.largest_frame - TRANSFER_OVERHEAD
        for start in range(0, len(payload), room):
            piece, more = payload[start : start + room], start + room < len(payload)
            transfer = Transfer(handle, delivery_id, tag, message_format=0, settled=settled, more=more)
            self._held.append(frequent.delivery(self._channel, transfer, piece))
        self._send_held()
        return delivery_id

    def lend(self, delivery_id: int, link: Receiver, token: bytes) -> None:
        """The delivery waits to be settled."""
        self._lent[delivery_id] = (link, token)
        if len(self._lent) > MOST_LENT:
            del self._lent[next(iter(self._lent))]  # long since expired

    # --- what the peer says -------------------------------------------------------------------------------------------

    def _attach(self, attach: Attach) -> None:
        handle = attach.handle
        if handle in self._links or handle in self._seeking or handle >= MOST_LINKS:
            raise NotAllowed(f"handle {handle}")
        opened = partial(self._opened, attach)
        try:
            give_up = attachment.open_link(self._peer, self, attach, opened)
        except Refused as refused:
            opened(refused)
        else:
            if give_up:
                self._seeking[handle] = give_up

    def _opened(self, attach: Attach, link: Incoming | Outgoing | Refused) -> None:
        self._seeking.pop(attach.handle, None)
        if isinstance(link, Refused):
            self.send(attachment.refusal(attach))
            self.send(Detach(attach.handle, closed=True, error=problem(link)))
            return
        self._links[attach.handle] = link
        self.send(attachment.acceptance(attach, link))
        if isinstance(link, Incoming):
            link.grant()

    def _detach(self, detach: Detach) -> None:
        if give_up := self._seeking.pop(detach.handle, None):
            give_up()
            self.send(Detach(detach.handle, closed=detach.closed))
        elif self._forget(detach.handle):
            self.send(Detach(detach.handle, closed=detach.closed))

    def detach(self, handle: int, why: Refused) -> None:
        if self._forget(handle):
            self.send(Detach(handle, closed=True, error=problem(why)))

    def _forget(self, handle: int) -> bool:
        """Was it there?"""
        link = self._links.pop(handle, None)
        if link is None:
            return False
        self._lent = {number: lent for number, lent in self._lent.items() if lent[0] is not link}
        self.answers = {address: answers for address, answers in self.answers.items() if answers is not link}
        link.detached()
        return True

    def _flow(self, flow: Flow) -> None:
        expected = flow.next_incoming_id or 0  # null before our begin arrived there
        was_open = self.open
        self._window = max(flow.incoming_window - ((self._next_outgoing_id - expected) & SERIAL), 0)
        self._send_held()
        if flow.handle is not None and (link := self._links.get(flow.handle)):
            link.flow(flow)
        if not was_open:
            self.resume()

    def _send_held(self) -> None:
        while self._held and self._window > 0:
            self._window -= 1
            self._next_outgoing_id = (self._next_outgoing_id + 1) & SERIAL
            frame = self._held.popleft()
            if not self._ended:
                self._write(frame)

    def _disposition(self, said: Disposition) -> None:
        outcome = Released() if said.state is None else said.state  # an accepted is empty, and so is false
        if not said.role or (said.state is None and not said.settled):
            return  # it is about what the peer sent itself, or says nothing
        last = said.first if said.last is None else said.last
        numbers = [said.first] if said.first == last else [n for n in self._lent if said.first <= n <= last]
        for number in numbers:
            if lent := self._lent.pop(number, None):
                answer = unheard if said.settled else partial(self._settled, number, outcome)
                _settle(*lent, outcome, answer)

    def _settled(self, number: int, outcome: Outcome, error: BaseException | None) -> None:
        self.settled(number, Rejected(problem(error)) if error else _echo(outcome), by_receiver=False)


def _settle(link: Receiver, token: bytes, outcome: Outcome, answer: Callable[[BaseException | None], None]) -> None:
    try:
        done = link.settle(token, outcome)
    except Refused as refused:
        answer(refused)
    else:
        when_done(done, answer)


def _echo(outcome: Outcome) -> Outcome:
    """What was applied: a rejection with an error would say that it was not."""
    match outcome:
        case Rejected():
            return Rejected()
        case Modified():
            return outcome._replace(message_annotations=None)
        case _:
            return outcome
