"""What every process measures, by name; docs/telemetry.md is made of this."""

import os
from pathlib import Path
from time import process_time

from libs.common.metrics import Measure, Metrics

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PATIENT = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

REQUESTS = Measure(
    "histogram",
    "http.server.request.duration",
    "s",
    "Time from a request to its answer.",
    ("http.request.method", "http.route", "http.response.status_code"),
    QUICK,
)
OPERATIONS = Measure(
    "histogram",
    "db.client.operation.duration",
    "s",
    "Time that the database took, the wait for a connection included.",
    ("db.system.name", "db.operation.name", "error.type"),
    QUICK,
)
REACTIONS = Measure(
    "histogram",
    "messaging.process.duration",
    "s",
    "Time that a reaction to a message took.",
    ("messaging.message.type", "error.type"),
    QUICK,
)
DELIVERIES = Measure(
    "counter",
    "store.messages.delivered",
    "{message}",
    "Messages that came from the queue, by what became of them.",
    ("messaging.destination.name", "outcome"),
)
WAITS = Measure(
    "histogram",
    "store.messages.wait",
    "s",
    "Time that a message lay in the queue before it came.",
    ("messaging.destination.name",),
    PATIENT,
)
DUPLICATES = Measure(
    "counter", "store.inbox.duplicates", "{message}", "Messages that the inbox knew: they have had their effect before."
)
QUEUED = Measure(
    "gauge",
    "store.queue.waiting",
    "{message}",
    "Messages in the queue, those in hand included; at most 100 are counted.",
    ("messaging.destination.name",),
)
QUEUE_AGE = Measure(
    "gauge", "store.queue.age", "s", "Age of the oldest message in the queue.", ("messaging.destination.name",)
)
FACTS = Measure("counter", "store.facts.published", "{fact}", "Facts told to Event Grid.", ("messaging.message.type",))
FACT_DELAYS = Measure(
    "histogram", "store.facts.delay", "s", "Time from a fact's commit to its publication.", (), PATIENT
)
OUTBOX = Measure("gauge", "store.outbox.waiting", "{fact}", "Facts that are not yet told; at most 1000 are counted.")
OUTBOX_AGE = Measure("gauge", "store.outbox.age", "s", "Age of the oldest fact that is not yet told.")
PARKED = Measure(
    "gauge", "store.outbox.parked", "{fact}", "Facts that Event Grid will never take; they wait for a person."
)
LEADING = Measure("gauge", "store.relay.leading", "1", "1 in the process that tells the facts, 0 in the others.")
CPU = Measure("counter", "process.cpu.time", "s", "Processor time, of all threads.")
MEMORY = Measure("gauge", "process.memory.usage", "By", "Resident memory.")

ALL = (
    REQUESTS,
    OPERATIONS,
    REACTIONS,
    DELIVERIES,
    WAITS,
    DUPLICATES,
    QUEUED,
    QUEUE_AGE,
    FACTS,
    FACT_DELAYS,
    OUTBOX,
    OUTBOX_AGE,
    PARKED,
    LEADING,
    CPU,
    MEMORY,
)


class Measures:
    """A process's instruments."""

    def __init__(self) -> None:
        self.metrics = metrics = Metrics()
        self.requests = metrics.histogram(REQUESTS)
        self.operations = metrics.histogram(OPERATIONS)
        self.reactions = metrics.histogram(REACTIONS)
        self.deliveries = metrics.numbers(DELIVERIES)
        self.waits = metrics.histogram(WAITS)
        self.duplicates = metrics.numbers(DUPLICATES)
        self.queued = metrics.numbers(QUEUED)
        self.queue_age = metrics.numbers(QUEUE_AGE)
        self.facts = metrics.numbers(FACTS)
        self.fact_delays = metrics.histogram(FACT_DELAYS)
        self.outbox = metrics.numbers(OUTBOX)
        self.outbox_age = metrics.numbers(OUTBOX_AGE)
        self.parked = metrics.numbers(PARKED)
        self.leading = metrics.numbers(LEADING)
        self.cpu = metrics.numbers(CPU)
        self.memory = metrics.numbers(MEMORY)
        metrics.before_reading(self._look_at_process)

    def _look_at_process(self) -> None:
        self.cpu.set(process_time())
        pages = Path("/proc/self/statm")
        if pages.exists():  # not on macOS
            self.memory.set(int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
