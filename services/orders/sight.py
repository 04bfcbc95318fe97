"""What orders see of themselves: how many are in which state, and how long it takes until one is settled."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.clock import now
from libs.common.database import Database
from libs.common.ids import time_of
from libs.common.measures import PATIENT
from libs.common.messages import CloudEvent
from libs.common.messages.orders import OrderCancelled, OrderConfirmed, OrderRejected
from libs.common.metrics import Measure, Metrics
from services.orders import store
from services.orders.transitions import Status

NEWEST = 10_000  # so that it costs the same, however many there are

STATES = Measure(
    "gauge", "store.orders.recent", "{order}", f"Of the newest {NEWEST} orders, those in each state.", ("status",)
)
UNSETTLED_AGE = Measure("gauge", "store.orders.unsettled.age", "s", "Age of the oldest of them that is not settled.")
SETTLING = Measure(
    "histogram", "store.order.settling", "s", "Time from an order to its confirmation or end.", ("status",), PATIENT
)
ALL = (STATES, UNSETTLED_AGE, SETTLING)
SETTLED = {OrderConfirmed.type: "confirmed", OrderRejected.type: "rejected", OrderCancelled.type: "cancelled"}


class _Settled(Struct, frozen=True):
    order_id: UUID
    at: datetime


_settled = msgspec.json.Decoder(_Settled)


class OrderSight:
    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self.states = metrics.numbers(STATES)
        self.ages = metrics.numbers(UNSETTLED_AGE)
        self.settling = metrics.histogram(SETTLING)

    def published(self, event: CloudEvent) -> None:
        if status := SETTLED.get(event.type):
            fact = _settled.decode(event.data)
            self.settling.record(max(0.0, (fact.at - time_of(fact.order_id)).total_seconds()), status)

    async def look(self) -> None:
        counted = {each.status: each for each in await store.states(self._database, NEWEST)}
        for status in Status:
            self.states.set(counted[status].count if status in counted else 0, status)
        waiting = counted.get(Status.PLACED)
        self.ages.set((now() - waiting.oldest).total_seconds() if waiting else 0)

    def blind(self) -> None:
        """Somebody else looks from now on."""
        self.states.clear()
        self.ages.clear()
