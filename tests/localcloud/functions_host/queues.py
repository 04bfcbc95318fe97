"""The queue app's host, and the local broker beside it, on a real socket with TLS."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from azure.core.credentials import AccessToken
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, TransportType
from azure.servicebus.aio import ServiceBusClient

from localcloud import topology
from localcloud.access import Issuer
from localcloud.certificates import Certificates
from localcloud.servicebus import Broker

ENTITIES = ("first", "second", "binary", "text", "slow", "batch", "news/Subscriptions/mine", "echoes")
QUEUES = {name: topology.Queue(lock_seconds=2, max_delivery_count=5) for name in ENTITIES}
QUEUE_APP = Path(__file__).parent / "queue_app"
AUDIENCE = "https://servicebus.azure.net"
NAMESPACE = "store.servicebus.windows.net"


class Identity:
    """A managed identity's credential, without the endpoint that hands out its tokens."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes[0].startswith(AUDIENCE)
        now = datetime.now(UTC)
        return AccessToken(self._issuer.token(AUDIENCE, now), int(now.timestamp()) + 3600)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Identity":
        return self

    async def __aexit__(self, *_: object) -> None: ...


@dataclass
class Cloud:
    """A broker that can go away and come back, and the host of the queue app beside it."""

    state: Path
    certificates: Certificates
    issuer: Issuer
    serve: Any
    port: int = 0

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[Broker]:
        def authorize(token: str, claim: str, queue: str) -> None:
            self.issuer.verify(token, AUDIENCE, datetime.now(UTC))

        async with (
            Broker.open(QUEUES, self.state / "servicebus.sqlite", authorize) as broker,
            broker.listen("127.0.0.1", self.port, self.certificates.server_context()) as self.port,
        ):
            yield broker

    def host(self, **changes: Any) -> AbstractAsyncContextManager[ClientSession]:
        serving: AbstractAsyncContextManager[ClientSession] = self.serve(
            QUEUE_APP, environ=self.environ(), credential=lambda: Identity(self.issuer), **changes
        )
        return serving

    def environ(self) -> dict[str, str]:
        return {
            "ServiceBus__fullyQualifiedNamespace": NAMESPACE,
            "SERVICE_BUS_ENDPOINT": f"sb://127.0.0.1:{self.port}",
            "WHERE": "ServiceBus",
            "READER": "mine",
        }

    def client(self) -> ServiceBusClient:
        return ServiceBusClient(
            NAMESPACE,
            Identity(self.issuer),
            ssl_context=self.certificates.client_context(),
            transport_type=TransportType.Amqp,
            custom_endpoint_address=f"sb://127.0.0.1:{self.port}",
        )

    async def sent(self, queue: str, count: int) -> list[ServiceBusReceivedMessage]:
        """What the host has put on the queue: so many messages, and none more."""
        found: list[ServiceBusReceivedMessage] = []
        async with self.client() as client, client.get_queue_receiver(queue) as receiver:
            while len(found) < count:
                found += await receiver.receive_messages(count + 1, max_wait_time=5)
            for message in found:
                await receiver.complete_message(message)
        return found

    async def put(self, queue: str, body: bytes, **properties: Any) -> None:
        async with self.client() as client, client.get_queue_sender(queue) as sender:
            await sender.send_messages(ServiceBusMessage(body, **properties))
