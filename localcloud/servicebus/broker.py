"""The Service Bus broker: queues on disk, served over AMQP 1.0, and open to senders in the same process."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from localcloud import topology
from localcloud.journal import Journal
from localcloud.servicebus import message
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.entity import SCHEMA, Entity
from localcloud.servicebus.errors import TooLarge, UnknownEntity
from localcloud.servicebus.nodes import Authorize
from localcloud.servicebus.performatives import Properties
from localcloud.servicebus.queue import Queue, Room
from localcloud.servicebus.wire import GOODBYE_SECONDS, HANDSHAKE_SECONDS, Wire


class Counts(NamedTuple):
    active: int
    locked: int
    dead_lettered: int
    oldest_enqueued: datetime | None  # of those that are not dead


@dataclass(frozen=True, slots=True)
class Limits:
    """What one queue holds, its dead letters included."""

    messages: int = 100_000
    bytes: int = 256 * 1024 * 1024


class Broker:
    def __init__(self, entities: Mapping[str, Entity], authorize: Authorize) -> None:
        self._entities, self._authorize = entities, authorize
        self._wires: set[Wire] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, queues: Mapping[str, topology.Queue], path: Path, authorize: Authorize, *, limits: Limits = Limits()
    ) -> AsyncIterator["Broker"]:
        """With what the journal at `path` holds."""
        async with Journal.open(path, SCHEMA) as journal:
            entities = {name.lower(): _load(name, of, journal, limits) for name, of in queues.items()}
            try:
                yield cls(entities, authorize)
            finally:
                for entity in entities.values():
                    entity.close()

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Until cancelled; then connections are closed."""
        async with self.listen(host, port, tls):
            await asyncio.Event().wait()

    @asynccontextmanager
    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
        """The port, which is a free one where `port` is 0."""
        handshake = HANDSHAKE_SECONDS if tls else None
        server = await asyncio.get_running_loop().create_server(
            self._wire, host, port, ssl=tls, ssl_handshake_timeout=handshake
        )
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await self._say_goodbye()

    async def send(
        self, queue: str, body: bytes, *, message_id: str, content_type: str, properties: Mapping[str, str]
    ) -> None:
        """On disk when it returns. Raises UnknownEntity, TooLarge, QueueFull or Busy."""
        if (entity := self._entities.get(queue.lower())) is None:
            raise UnknownEntity(queue)
        said = Properties(message_id=message_id, content_type=content_type)
        written = message.write(said, dict(properties), body)
        if len(written) > message.LARGEST:
            raise TooLarge(message.LARGEST)
        await asyncio.shield(entity.send([message.split(written)]))

    def counts(self, queue: str) -> Counts:
        """Raises UnknownEntity."""
        if (entity := self._entities.get(queue.lower())) is None:
            raise UnknownEntity(queue)
        return _counts(entity.queue)

    def _wire(self) -> Wire:
        return Wire(Peer(self._entities, self._authorize), self._wires)

    async def _say_goodbye(self) -> None:
        gone = [wire.gone for wire in self._wires]
        for wire in list(self._wires):
            wire.close()
        if gone:
            await asyncio.wait(gone, timeout=GOODBYE_SECONDS + 1)


def _load(name: str, of: topology.Queue, journal: Journal, limits: Limits) -> Entity:
    room, lock_ms = Room(limits.messages, limits.bytes), of.lock_seconds * 1000
    dead_letters = Queue(lock_ms, room)
    queue = Queue(lock_ms, room, most_deliveries=of.max_delivery_count, dead_letters=dead_letters)
    entity = Entity(name.lower(), queue, journal, clock=_now, new_token=uuid4)
    entity.load()
    return entity


def _now() -> int:
    return time.time_ns() // 1_000_000


def _counts(queue: Queue) -> Counts:
    oldest = next(iter(queue.entries.values()), None)
    return Counts(
        queue.active,
        len(queue.locked),
        len(queue.dead_letters.entries) if queue.dead_letters else 0,
        datetime.fromtimestamp(oldest.enqueued / 1000, UTC) if oldest else None,
    )
