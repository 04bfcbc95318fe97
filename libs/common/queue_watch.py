"""What is noted of a service's queue: how long messages lay in it, what became of them, and what still waits."""

from dataclasses import dataclass
from time import monotonic

import structlog
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

from libs.common.clock import now
from libs.common.measures import Measures
from libs.common.watch import LOOK_SECONDS

log = structlog.get_logger()

OUTCOMES = ("completed", "abandoned", "dead_lettered", "unsettled")
MOST_PEEKED = 100  # their bodies come along
PEEK_SECONDS = 5.0


@dataclass(slots=True)
class QueueWatch:
    queue: str
    measures: Measures
    _looked_at: float = -LOOK_SECONDS

    def __post_init__(self) -> None:
        """From nought on: of a series that begins with one, Prometheus sees no increase, and nobody would be told."""
        for outcome in OUTCOMES:
            self.measures.deliveries.add(self.queue, outcome, amount=0)

    def came(self, message: ServiceBusReceivedMessage) -> None:
        self.measures.waits.record(_age(message), self.queue)

    def ended(self, outcome: str) -> None:
        self.measures.deliveries.add(self.queue, outcome)

    async def look(self, receiver: ServiceBusReceiver) -> None:
        """Now and then. How many wait a receiver may not ask, but it may look at the first of them."""
        if monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = monotonic()
        try:
            waiting = await receiver.peek_messages(MOST_PEEKED, sequence_number=1, timeout=PEEK_SECONDS)
        except ServiceBusError as error:  # whether the queue can be heard is seen where it is heard
            log.warning("look.failed", queue=self.queue, reason=str(error))
            return
        self.measures.queued.set(len(waiting), self.queue)
        self.measures.queue_age.set(_age(waiting[0]) if waiting else 0, self.queue)


def _age(message: ServiceBusReceivedMessage) -> float:
    """Clocks of several machines differ: what would be below zero is zero."""
    since = message.enqueued_time_utc
    return max(0.0, (now() - since).total_seconds()) if since else 0.0
