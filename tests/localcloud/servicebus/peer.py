"""A peer of the broker without a socket, that says what it is told to."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Any
from uuid import uuid4

from localcloud.journal import Journal
from localcloud.servicebus import frames, message
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.claims import Claims
from localcloud.servicebus.connection import Connection
from localcloud.servicebus.contents import Memory
from localcloud.servicebus.encoding import Symbol
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.frames import Frame, Parser, Protocol, Type
from localcloud.servicebus.ground import Ground
from localcloud.servicebus.ledger import SCHEMA
from localcloud.servicebus.namespace import Limits, Namespace, Settings
from localcloud.servicebus.performatives import (
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Open,
    Outcome,
    Properties,
    SaslInit,
    Source,
    Target,
    Transfer,
)
from localcloud.topology import BusSubscription, BusTopic, Queue

NOON = 1_780_315_200_000
LOCK_MS = 30_000
RECEIVES, SENDS, ASKS, HEARS = 1, 2, 3, 4  # handles
SESSION = Symbol("com.microsoft:session-filter")
CATALOG = "amqps://host:1/Catalog"


@dataclass(slots=True)
class Client:
    """A peer that says what it is told to."""

    entity: Entity
    journal: Journal
    now: list[int]
    namespace: Namespace
    peer: Peer
    connection: Connection = field(init=False)
    said: list[Frame] = field(default_factory=list)
    _parser: Parser = field(default_factory=Parser)

    def hear(self, data: bytes) -> None:
        self.said += [item for item in self._parser.feed(data) if isinstance(item, Frame)]

    def say(self, *bodies: Any, payload: bytes = b"") -> list[Any]:
        """What the broker answers at once."""
        before = len(self.said)
        self.connection.receive(b"".join(frames.encode(0, body, payload) for body in bodies))
        return [frame.body for frame in self.said[before:]]

    async def written(self) -> list[Any]:
        """What it says once all it has to write is on disk."""
        before = len(self.said)
        await self.journal.write()
        return [frame.body for frame in self.said[before:]]

    def open(self, *, window: int = 100, largest_frame: int = 65_536) -> None:
        self.connection.receive(Protocol.SASL.value + frames.encode(0, SaslInit("ANONYMOUS"), kind=Type.SASL))
        self.connection.receive(Protocol.AMQP.value)
        self.say(Open("test", max_frame_size=largest_frame), Begin(None, 0, window, window))

    def send(self, body: bytes, number: int = 0) -> list[Any]:
        return self.say(Transfer(SENDS, number, b"tag", 0), payload=message.write(Properties(), {}, body))

    def receives(self, credit: int = 1, address: str = CATALOG) -> list[Any]:
        return self.say(Attach("r", RECEIVES, role=True, source=Source(address), target=Target()), flow(credit))

    def ask(self, operation: str, body: Any, node: str = f"{CATALOG}/$management") -> tuple[dict[Any, Any], Any]:
        """The application properties and the body of an answer that comes at once."""
        self.ask_later(operation, body, node)
        _, application, value = message.read(self.said[-2].payload)
        self.say(Detach(HEARS), Detach(ASKS))
        return application, value

    def ask_later(self, operation: str, body: Any, node: str = f"{CATALOG}/$management") -> None:
        self.say(
            Attach("h", HEARS, role=True, source=Source(node), target=Target("here")),
            Attach("a", ASKS, role=False, source=Source("here"), target=Target(node)),
            flow(1, HEARS),
        )
        request = message.write(Properties(message_id=uuid4()), {"operation": f"com.microsoft:{operation}"}, value=body)
        self.say(Transfer(ASKS, 9, b"tag"), payload=request)


def flow(credit: int, handle: int = RECEIVES, *, window: int = 100, drain: bool = False) -> Flow:
    return Flow(0, window, 0, 100, handle=handle, delivery_count=0, link_credit=credit, drain=drain)


def settle(number: int, outcome: Outcome, *, settled: bool = False) -> Disposition:
    return Disposition(role=True, first=number, settled=settled, state=outcome)


ENTITIES: Mapping[str, Settings] = {
    "catalog": Queue(max_delivery_count=3),
    "sessions": Queue(sessions=True),
    "told": BusTopic(subscriptions={"all": BusSubscription()}),
}


@asynccontextmanager
async def connected(folder: Path, *, memory: int = 1_000_000) -> AsyncIterator[Client]:
    now, limits = [NOON], Limits(messages=100, memory=memory)
    async with Journal.open(folder / "bus.sqlite", SCHEMA) as journal:
        namespace = Namespace(Ground(journal, lambda: now[0], partial(token_bytes, 16), Memory(memory)), limits)
        namespace.load(ENTITIES)
        every = dict.fromkeys(namespace.defined, frozenset({"Send", "Listen"}))
        peer = Peer(namespace, Claims(lambda *_: None, lambda: now[0]), every)
        client = Client(namespace["catalog"].entity, journal, now, namespace, peer)
        client.connection = Connection(peer, client.hear, asyncio.get_running_loop().call_later)
        yield client
        client.connection.lost()
        namespace.close()
