"""An AMQP connection: bytes in, bytes out; no socket and no clock in here (OASIS AMQP 1.0, part 2.4 and 5.3)."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Any, Final

from localcloud.servicebus import frames
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.errors import IllegalState, NotAllowed, Refused
from localcloud.servicebus.frames import HEARTBEAT, LARGEST_FRAME, SMALLEST_LIMIT, Frame, Parser, Protocol, Type
from localcloud.servicebus.links import problem
from localcloud.servicebus.performatives import Begin, Close, End, Open, SaslInit, SaslMechanisms, SaslOutcome
from localcloud.servicebus.session import Session

MOST_SESSIONS: Final = 256  # some SDKs open one for each link
CONTAINER: Final = "localcloud"
AUTHENTICATION_FAILED: Final = 1  # sasl-code
SHORTEST_IDLE_MS: Final = 100  # after which a peer may give us up when it hears nothing

Alarm = Callable[[], None]
Later = Callable[[float, Alarm], asyncio.TimerHandle]  # in so many seconds, as a loop's call_later


class Phase(Enum):
    NEW = auto()
    SASL = auto()
    AUTHENTICATED = auto()
    AMQP = auto()
    OPEN = auto()
    CLOSED = auto()


class Connection:
    def __init__(self, peer: Peer, write: Callable[[bytes], None], later: Later) -> None:
        self._peer, self._write, self._later = peer, write, later
        self._parser = Parser()
        self._sessions: dict[int, Session] = {}
        self._heart: asyncio.TimerHandle | None = None
        self.phase = Phase.NEW

    def receive(self, data: bytes) -> None:
        """What breaks the protocol closes the connection, and says why."""
        try:
            for item in self._parser.feed(data):
                if self.phase is Phase.OPEN and isinstance(item, Frame):
                    self._frame(*item)
                elif self.phase is Phase.CLOSED:
                    return
                else:
                    self._greet(item)
        except Refused as refused:
            self.close(refused)

    def pause(self) -> None:
        """The peer does not read what it was sent."""
        self._peer.writable = False

    def resume(self) -> None:
        self._peer.writable = True
        for session in self._sessions.values():
            session.resume()

    def close(self, why: Refused | None = None) -> None:
        """Nothing is written after it."""
        if self.phase in (Phase.AMQP, Phase.OPEN):
            if self.phase is Phase.AMQP:
                self._open()
            self._send(0, Close(problem(why) if why else None))
        elif self.phase is Phase.NEW:
            self._write(Protocol.SASL.value)
        self.lost()

    def lost(self) -> None:
        self.phase = Phase.CLOSED
        if self._heart:
            self._heart.cancel()
        for session in self._sessions.values():
            session.end()
        self._sessions.clear()

    def _greet(self, item: Protocol | Frame) -> None:
        match self.phase, item:
            case Phase.NEW, Protocol.SASL:
                self._write(Protocol.SASL.value + frames.encode(0, SaslMechanisms(["ANONYMOUS"]), kind=Type.SASL))
                self.phase = Phase.SASL
            case Phase.SASL, Frame(_, SaslInit(mechanism)):
                self._authenticate(mechanism)
            case Phase.AUTHENTICATED, Protocol.AMQP:
                self._write(Protocol.AMQP.value)
                self.phase = Phase.AMQP
            case Phase.AMQP, Frame(_, Open() as opened):
                self._peer.largest_frame = min(max(opened.max_frame_size, SMALLEST_LIMIT), LARGEST_FRAME)
                self._open()
                self._live(opened.idle_time_out or 0)
            case _:
                raise IllegalState(f"in {self.phase.name}")

    def _authenticate(self, mechanism: str) -> None:
        """Whoever it is shows its tokens later, to `$cbs`."""
        known = mechanism == "ANONYMOUS"
        self._write(frames.encode(0, SaslOutcome(0 if known else AUTHENTICATION_FAILED), kind=Type.SASL))
        self.phase = Phase.AUTHENTICATED if known else Phase.CLOSED

    def _open(self) -> None:
        self._send(0, Open(CONTAINER, max_frame_size=LARGEST_FRAME, channel_max=MOST_SESSIONS - 1))
        self.phase = Phase.OPEN

    def _live(self, idle_ms: int) -> None:
        """The peer hears something twice in the time after which it would give us up (part 2.4.5); 0: it never does."""
        if 0 < idle_ms < SHORTEST_IDLE_MS:
            raise NotAllowed(f"an idle-time-out of {idle_ms} ms")
        if idle_ms:
            self._heart = self._later(idle_ms / 2000, partial(self._beat, idle_ms))

    def _beat(self, idle_ms: int) -> None:
        if self._peer.writable:
            self._write(HEARTBEAT)
        self._live(idle_ms)

    def _frame(self, channel: int, body: object, payload: bytes) -> None:
        match body:
            case Begin():
                self._begin(channel, body)
            case End():
                self._end(channel)
            case Close():
                self.close()
            case _ if session := self._sessions.get(channel):
                session.receive(body, payload)  # frames for a session that is gone are passed over

    def _begin(self, channel: int, begin: Begin) -> None:
        if channel in self._sessions or channel >= MOST_SESSIONS:
            raise NotAllowed(f"channel {channel}")
        self._sessions[channel] = session = Session(self._peer, channel, begin, self._write)
        session.begin()

    def _end(self, channel: int) -> None:
        if session := self._sessions.pop(channel, None):
            session.end()
            self._send(channel, End())

    def _send(self, channel: int, body: tuple[Any, ...]) -> None:
        self._write(frames.encode(channel, body))
