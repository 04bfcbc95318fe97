"""The host of an app on Service Bus, and the local broker beside it, on a real socket with TLS."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
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

NAMES = ("first", "second", "binary", "text", "slow", "batch")
QUEUES = {name: topology.Queue(lock_seconds=2, max_delivery_count=5) for name in NAMES}
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
    """A broker that can go away and come back, and the host of an app beside it."""

    state: Path
    certificates: Certificates
    issuer: Issuer
    serve: Any
    app: Path = QUEUE_APP
    queues: Mapping[str, topology.Queue] = field(default_factory=lambda: QUEUES)
    topics: Mapping[str, topology.BusTopic] = field(default_factory=dict)
    port: int = 0
    asked: set[tuple[str, str]] = field(default_factory=set)  # claims, and the queues that links were opened to

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[Broker]:
        def authorize(token: str, claim: str, queue: str) -> None:
            self.issuer.verify(token, AUDIENCE, datetime.now(UTC))
            self.asked.add((claim, queue))

        async with (
            Broker.open(self.queues, self.state / "servicebus.sqlite", authorize, topics=self.topics) as broker,
            broker.listen("127.0.0.1", self.port, self.certificates.server_context()) as self.port,
        ):
            yield broker

    def host(self, **changes: Any) -> AbstractAsyncContextManager[ClientSession]:
        serving: AbstractAsyncContextManager[ClientSession] = self.serve(
            self.app, environ=self.environ(), credential=lambda: Identity(self.issuer), **changes
        )
        return serving

    def environ(self) -> dict[str, str]:
        return {
            "ServiceBus__fullyQualifiedNamespace": NAMESPACE,
            "SERVICE_BUS_ENDPOINT": f"sb://127.0.0.1:{self.port}",
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

    async def put(self, queue: str, *bodies: str | bytes, **properties: Any) -> None:
        """On a queue or a topic: on the wire both are addresses."""
        async with self.client() as client, client.get_queue_sender(queue) as sender:
            for body in bodies:
                await sender.send_messages(ServiceBusMessage(body, **properties))


async def heard(client: ClientSession) -> dict[str, Any]:
    """What the app tells next."""
    async with client.get("/api/heard") as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def deliver(client: ClientSession, function: str, *data: dict[str, Any]) -> tuple[int, str]:
    events = [
        {"specversion": "1.0", "id": f"e-{number}", "source": "/s", "type": "t", "data": each}
        for number, each in enumerate(data)
    ]
    async with client.post(
        "/runtime/webhooks/EventGrid",
        params={"functionName": function},
        json=events,
        headers={"aeg-event-type": "Notification", "x-functions-key": "grid-key"},
    ) as response:
        return response.status, await response.text()
