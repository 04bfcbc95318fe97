"""Where a subscription's events go: to a webhook, a function, Service Bus, or a queue in storage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp
import structlog
from yarl import URL

from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.queues import BusEntity, Enqueue, StorageAccount, StorageQueue
from localcloud.eventgrid.retry import Answer, Outcome
from localcloud.eventgrid.webhook import Webhook
from localcloud.subscription import Subscription

MOST_NAMED: Final = 10  # in the log, of a batch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FunctionsAddress:
    url: str
    key: str = field(repr=False)  # the host's system key `eventgrid_extension`

    def webhook(self, function: str) -> URL:
        """Holds the key: not for the log."""
        return URL(self.url) / "runtime/webhooks/EventGrid" % {"functionName": function, "code": self.key}


class Destination(Protocol):
    async def deliver(self, deliveries: Sequence[Delivery], seconds: float) -> Answer:
        """All of them or none; answers within so many seconds."""


async def attempt(by: Destination, deliveries: Sequence[Delivery], seconds: float) -> Answer:
    """The last door: what nobody foresaw of an event or a destination fails this attempt, and not the local cloud."""
    try:
        return await by.deliver(deliveries, seconds)
    except Exception as error:
        log.exception("attempt.broke", message_ids=[each.message_id for each in deliveries[:MOST_NAMED]])
        return Answer(Outcome.ABORTED, type(error).__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom Event Grid can reach, and as whom it comes."""

    functions: FunctionsAddress
    enqueue: Enqueue
    account: StorageAccount | None = None
    vouch: Callable[[str], str] | None = None  # the token for an audience
    itself: str = ""  # its own address, which an endpoint that is asked may call

    def destination(self, of: Subscription, http: aiohttp.ClientSession) -> Destination:
        """Raises ValueError where the local cloud has no such place."""
        to = of.to
        if entity := to.queue or to.bus_topic:
            return BusEntity(entity, of, self.enqueue)
        if to.function:
            return Webhook(http, of, self.functions.webhook(to.function))
        if to.webhook:
            return Webhook(http, of, URL(to.webhook), self._token(of))
        if self.account and to.storage_queue:
            return StorageQueue(http, to.storage_queue, self.account)
        raise ValueError(f"{of.name}: there is no storage account")

    def _token(self, of: Subscription) -> Callable[[], str] | None:
        if (audience := of.to.audience) is None:
            return None
        if (vouch := self.vouch) is None:
            raise ValueError(f"{of.name}: nobody vouches for Event Grid")
        return lambda: vouch(audience)
