"""A Service Bus elsewhere, say Microsoft's emulator: Event Grid puts facts into its queues instead of into ours."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from localcloud.functions_host.servicebus import Sender
from localcloud.servicebus.broker import Envelope
from localcloud.servicebus.errors import Busy, TooLarge


@dataclass(frozen=True, slots=True)
class Elsewhere:
    client: ServiceBusClient
    senders: dict[str, Sender] = field(default_factory=dict)  # as many as the topology has queues and topics

    @classmethod
    @asynccontextmanager
    async def connect(cls, connection: str) -> AsyncIterator["Elsewhere"]:
        """Raises ValueError where that is no connection string."""
        tls = ssl.create_default_context()
        async with ServiceBusClient.from_connection_string(
            connection, ssl_context=tls, transport_type=TransportType.Amqp, retry_total=1, retry_backoff_factor=0.2
        ) as client:
            yield cls(client)

    async def __call__(self, queue: str, body: bytes, envelope: Envelope) -> None:
        """Raises TooLarge, or Busy for all else: Event Grid comes again."""
        message = ServiceBusMessage(
            body,
            message_id=envelope.message_id,
            content_type=envelope.content_type or None,
            application_properties=dict(envelope.properties.items()),
            session_id=envelope.session_id or None,
            partition_key=envelope.partition_key or None,
        )
        sender = self.senders.setdefault(queue, Sender(self.client, queue))
        try:
            async with sender.opened() as link:
                await link.send_messages(message)
        except MessageSizeExceededError as error:
            raise TooLarge(str(error)) from error
        except (ServiceBusError, TimeoutError) as error:
            raise Busy(str(error)) from error
