"""The Service Bus broker: queues on disk, served over AMQP 1.0, and open to senders in the same process."""

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from aiohttp import web

from localcloud import topology
from localcloud.quick_journal import QuickJournal
from localcloud.servicebus import door, message
from localcloud.servicebus.admin import Administration
from localcloud.servicebus.attachment import Peer
from localcloud.servicebus.claims import Authorize, Claims, Key
from localcloud.servicebus.contents import Memory
from localcloud.servicebus.entity import Entity
from localcloud.servicebus.errors import TooLarge
from localcloud.servicebus.ground import Ground
from localcloud.servicebus.idleness import Idleness
from localcloud.servicebus.ledger import SCHEMA
from localcloud.servicebus.namespace import Limits, Namespace
from localcloud.servicebus.performatives import Properties
from localcloud.servicebus.websocket import Conversation
from localcloud.servicebus.wire import GOODBYE_SECONDS, Wire

LARGEST_REQUEST: Final = 262_144  # bytes, of the administration client
LIMITS: Final = Limits()
NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Envelope(NamedTuple):
    """What goes with a body that comes from within: Event Grid sends no more."""

    message_id: str
    content_type: str = ""
    properties: Mapping[str, str] = NONE
    session_id: str = ""
    partition_key: str = ""  # kept for whoever receives it: no queue here has partitions


class Counts(NamedTuple):
    active: int
    locked: int
    dead_lettered: int
    oldest_enqueued: datetime | None  # of those that are not dead


class Broker:
    def __init__(self, namespace: Namespace, claims: Claims) -> None:
        self.namespace, self.claims = namespace, claims
        self._wires: set[Wire] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        queues: Mapping[str, topology.Queue],
        path: Path,
        authorize: Authorize,
        *,
        topics: Mapping[str, topology.BusTopic] = NONE,
        keys: Mapping[str, Key] = NONE,
        limits: Limits = LIMITS,
    ) -> AsyncIterator["Broker"]:
        """With what the journal at `path` holds."""
        async with QuickJournal.open(path, SCHEMA) as journal:
            namespace = Namespace(Ground(journal, _now, _new_token, Memory(limits.memory)), limits)
            namespace.load({**queues, **topics})
            idleness = Idleness(namespace)
            idleness.watch()
            try:
                yield cls(namespace, Claims(authorize, _now, keys, namespace.policies))
            finally:
                idleness.stop()
                namespace.close()

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Until cancelled; then connections are closed."""
        async with self.listen(host, port, tls):
            await asyncio.Event().wait()

    @asynccontextmanager
    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
        """The port, which is a free one where `port` is 0."""
        async with door.opened((host, port), tls, self._wire, self._app()) as opened:
            try:
                yield opened
            finally:
                await self._say_goodbye()

    async def send(self, queue: str, body: bytes, envelope: Envelope) -> None:
        """On disk when it returns. Raises UnknownEntity, TooLarge, QueueFull, Disabled or Busy."""
        entity = self.namespace[queue].entity
        said = Properties(
            message_id=envelope.message_id, content_type=envelope.content_type, group_id=envelope.session_id or None
        )
        written = message.write(said, dict(envelope.properties), body)
        if len(written) > message.LARGEST:
            raise TooLarge(message.LARGEST)
        sent = message.split(written)
        if envelope.partition_key:
            sent = sent.annotated(message.PARTITION_KEY, envelope.partition_key)
        await asyncio.shield(entity.send([sent]))

    def counts(self, queue: str) -> Counts:
        """Raises UnknownEntity."""
        return _counts(self.namespace[queue].entity)

    def _wire(self) -> Wire:
        return Wire(Peer(self.namespace, self.claims), self._wires)

    def _app(self) -> web.Application:
        administration = Administration(self.namespace, self.claims)

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await Conversation(Peer(self.namespace, self.claims)).hold(request)
            return await administration.answer(request)

        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_route("*", "/{path:.*}", answer)
        return app

    async def _say_goodbye(self) -> None:
        gone = [wire.gone for wire in self._wires]
        for wire in list(self._wires):
            wire.close()
        if gone:
            await asyncio.wait(gone, timeout=GOODBYE_SECONDS + 1)


def _new_token() -> bytes:
    return secrets.token_bytes(16)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _counts(entity: Entity) -> Counts:
    oldest = next(iter(entity.queue.entries.values()), None)
    return Counts(
        entity.queue.active,
        len(entity.queue.locked),
        len(entity.dead_letters.queue.entries) if entity.dead_letters else 0,
        datetime.fromtimestamp(oldest.enqueued / 1000, UTC) if oldest else None,
    )
