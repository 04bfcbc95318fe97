"""What is noted of the work: of the database's, and of the relay's while it leads."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog
from msgspec import Struct

from libs.common import telemetry
from libs.common.clock import now
from libs.common.errors import Malformed, Unavailable
from libs.common.measures import Measures
from libs.common.messages import CloudEvent
from libs.common.metrics import OTHER, Histogram
from libs.common.telemetry import Kind

if TYPE_CHECKING:
    from libs.common.database import Database

log = structlog.get_logger()

LOOK_SECONDS = 30.0


class _Told(Struct, frozen=True):
    at: datetime


_told = msgspec.json.Decoder(_Told)


@contextmanager
def timed(histogram: Histogram, *labels: str) -> Iterator[None]:
    """Its last label is the kind of error that ended it."""
    started, failure = perf_counter(), ""
    try:
        yield
    except BaseException as error:
        failure = type(error).__name__
        raise
    finally:
        histogram.record(perf_counter() - started, *labels, failure)


@dataclass(frozen=True, slots=True)
class DatabaseWatch:
    """`system` is OpenTelemetry's name of the engine. No statement and no value is noted."""

    system: str
    measures: Measures

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        began, failure = perf_counter(), ""
        try:
            yield
        except Unavailable:  # whatever else rises is a refusal, and the database did its work
            failure = Unavailable.__name__
            raise
        finally:
            self.note(name, perf_counter() - began, failure)

    def note(self, name: str, seconds: float, failure: str) -> None:
        """It ends now."""
        self.measures.operations.record(seconds, self.system, name, failure)
        if telemetry.is_recording():
            about, at = {"db.system.name": self.system, "db.operation.name": name}, time_ns() - int(seconds * 1e9)
            telemetry.leaf(telemetry.traceparent(), f"{name} {self.system}", Kind.CLIENT, at, about, failure)

    def repeated(self) -> None:
        self.measures.duplicates.add()


class Sight(Protocol):
    """What a service sees in its own facts and data, beyond what all services do."""

    def published(self, event: CloudEvent) -> None: ...

    async def look(self) -> None:
        """Cheap and bounded. Raises Unavailable."""

    def blind(self) -> None:
        """Somebody else looks from now on."""


@dataclass(slots=True)
class RelayWatch:
    database: "Database"
    measures: Measures
    sight: Sight | None = None

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """Figures that only who leads should give: else each would be there once for each process."""
        self.measures.leading.set(1)
        looking = asyncio.create_task(self._look_on(), name="look")
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            self.measures.leading.set(0)
            for gauge in (self.measures.outbox, self.measures.outbox_age, self.measures.parked):
                gauge.clear()
            if self.sight:
                self.sight.blind()

    async def _look_on(self) -> None:
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("look.failed", reason=error.detail)
            except Exception:  # a defect here must not keep facts from being told
                log.exception("look.failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        backlog = await self.database.backlog()
        self.measures.outbox.set(backlog.waiting)
        self.measures.outbox_age.set(_age(backlog.oldest) if backlog.oldest else 0)
        self.measures.parked.set(backlog.parked)
        if self.sight:
            await self.sight.look()

    def published(self, events: Sequence[bytes], started_at: int) -> None:
        for body in events:
            try:
                self._note(CloudEvent.decode(body), started_at)
            except (Malformed, msgspec.MsgspecError):  # it was told all the same
                self.measures.facts.add(OTHER)

    def _note(self, event: CloudEvent, started_at: int) -> None:
        self.measures.fact_delays.record(_delay(event))
        about = {"messaging.system": "eventgrid", "messaging.message.id": event.id}
        telemetry.leaf(event.traceparent, f"publish {event.type}", Kind.PRODUCER, started_at, about)
        if self.sight:
            self.sight.published(event)
        self.measures.facts.add(event.type)


def _delay(event: CloudEvent) -> float:
    """Clocks of several machines differ: what would be below zero is zero."""
    return max(0.0, (now() - _told.decode(event.data).at).total_seconds())


def _age(body: bytes) -> float:
    try:
        return _delay(CloudEvent.decode(body))
    except (Malformed, msgspec.MsgspecError):
        return 0.0
