"""To whom a subscription's events go, as Event Grid brings them: a queue, or a function's webhook."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from libs.common.errors import Malformed
from libs.common.messages import CONTENT_TYPE, CloudEvent
from localcloud.topology import Destination

ANSWER_SECONDS = 10.0
TAKEN = range(200, 205)


class NotTaken(Exception):
    """The text says why."""


@dataclass(frozen=True, slots=True)
class Destinations:
    by_subscription: Mapping[str, Destination]
    bus: ServiceBusClient
    session: aiohttp.ClientSession
    functions_url: str
    key: Callable[[], Awaitable[str]] = field(repr=False)  # which Event Grid shows the functions

    async def deliver(self, event: bytes, subscription: str) -> None:
        """Returns when it was taken. Raises NotTaken, or what `key` raises."""
        match self.by_subscription.get(subscription):
            case Destination(queue=str(name)):
                await self._to_queue(event, name)
            case Destination(function=str(name)):
                await self._to_function(event, name, subscription)
            case _:
                raise NotTaken("the topology has no such subscription any more")

    async def _to_queue(self, event: bytes, name: str) -> None:
        """Under the event's own id, as in Azure: a queue that has it already need not have it twice."""
        try:
            message = ServiceBusMessage(event, message_id=CloudEvent.decode(event).id, content_type=CONTENT_TYPE)
            async with self.bus.get_queue_sender(name) as sender:
                await sender.send_messages(message, timeout=ANSWER_SECONDS)
        except (Malformed, ServiceBusError) as error:
            raise NotTaken(f"queue {name}: {error}") from error

    async def _to_function(self, event: bytes, name: str, subscription: str) -> None:
        headers = {
            "Content-Type": CONTENT_TYPE,
            "aeg-event-type": "Notification",
            "aeg-subscription-name": subscription.upper(),
            "aeg-delivery-count": "0",
            "aeg-metadata-version": "1.0",
        }
        url = f"{self.functions_url}/runtime/webhooks/EventGrid"
        query = {"functionName": name, "code": await self.key()}
        try:
            async with self.session.post(
                url, params=query, data=event, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status not in TAKEN:
                    raise NotTaken(f"function {name} answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError) as error:  # whose text may have the key in it
            raise NotTaken(f"function {name} can't be reached: {type(error).__name__}") from error
