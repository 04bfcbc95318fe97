"""What leaves a process by OTLP, as a collector reads it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import perf_counter, time_ns
from typing import cast

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import Resource

from libs.common import exporting, exports, telemetry
from libs.common.exporting import Destination, Exports, Pusher
from libs.common.metrics import Measure, Metrics
from libs.common.points import Points
from libs.common.settings import Incomplete
from libs.common.telemetry import Kind
from tests.functions.test_function_app import TOLD as SETTINGS
from tests.otlp import Collector, attributes
from tests.waiting import so

ROOT = Path(__file__).parents[2]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"
TOLD = Measure("counter", "store.told", "{fact}", "Facts.", ("kind",))
LONG = Measure("histogram", "store.long", "s", "Time.", ("kind",), (0.1, 1))
AT_ONCE = {"OTEL_METRIC_EXPORT_INTERVAL": "20", "OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_TIMEOUT": "1000"}
LOADED = """
import sys, services.orders.app
sys.path[:0] = ["functions"]
import function_app
print([name for name in sys.modules if name.startswith(("opentelemetry", "azure.monitor", "google.protobuf"))])
"""


@dataclass(frozen=True, slots=True)
class Told:
    otel_exporter_otlp_endpoint: str = ""
    applicationinsights_connection_string: str = ""


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """OpenTelemetry's own exporters read the environment."""
    async with Collector.running() as running:
        for name, value in {**AT_ONCE, "OTEL_EXPORTER_OTLP_ENDPOINT": running.url}.items():
            monkeypatch.setenv(name, value)
        yield running


@contextmanager
def exporting_to(url: str, metrics: Metrics) -> Iterator[Exports]:
    started = exports.start("orders", Told(url), metrics)
    assert started
    try:
        yield started
    finally:
        telemetry.record_with(None)


async def close(started: Exports) -> None:
    await asyncio.to_thread(started.close)


async def test_a_span_arrives_with_its_parent_its_attributes_and_its_failure(collector: Collector) -> None:
    with exporting_to(collector.url, Metrics()) as started:
        with telemetry.trace(PARENT, "POST /api/orders", Kind.SERVER, {"http.route": "/api/orders"}) as ours:
            telemetry.leaf(ours, "fetch postgresql", Kind.CLIENT, time_ns(), {"db.system.name": "postgresql"}, "Away")
            telemetry.note("http.response.status_code", 503)
            telemetry.fail("503")
        await close(started)

    leaf, served = collector.of(TRACE)
    assert (served.service, served.name, served.kind, served.parent_id) == (
        "orders",
        "POST /api/orders",
        "SERVER",
        CALLER,
    )
    assert ours == f"00-{TRACE}-{served.id}-01"
    assert served.attributes == {
        "http.route": "/api/orders",
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert served.failed
    assert served.nanoseconds > leaf.nanoseconds > 0
    assert (leaf.kind, leaf.parent_id, leaf.attributes["error.type"]) == ("CLIENT", served.id, "Away")


async def test_what_an_error_ends_has_failed_by_it(collector: Collector) -> None:
    with exporting_to(collector.url, Metrics()) as started:
        with pytest.raises(KeyError), telemetry.trace(None, "work"):
            raise KeyError
        await close(started)

    (span,) = collector.spans
    assert (span.failed, span.attributes, span.parent_id) == (True, {"error.type": "KeyError"}, "")


async def test_what_has_no_name_or_was_not_sampled_is_kept_by_nobody_below_either(collector: Collector) -> None:
    with exporting_to(collector.url, Metrics()) as started:
        for parent, name in ((PARENT, ""), (PARENT[:-2] + "00", "work"), (None, "")):
            with telemetry.trace(parent, name) as ours:
                assert ours.endswith("-00")
                telemetry.leaf(ours, "fetch", Kind.CLIENT, time_ns(), {})
                with telemetry.trace(ours, "below"):
                    pass
        await close(started)

    assert collector.spans == []


async def test_figures_arrive_again_and_again_with_their_unit_and_bounds(collector: Collector) -> None:
    metrics = Metrics()
    told, long = metrics.numbers(TOLD), metrics.histogram(LONG)
    told.add("a", amount=3)
    long.record(0.5, "")

    with exporting_to(collector.url, metrics) as started:
        await so(lambda: ("orders", "store.long") in collector.metrics)
        told.add("a")
        await so(lambda: collector.metrics["orders", "store.told"].sum.data_points[0].as_int == 4)
        await close(started)

    counted, timed = collector.metrics["orders", "store.told"], collector.metrics["orders", "store.long"]
    assert (counted.unit, counted.sum.is_monotonic) == ("{fact}", True)
    assert counted.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert attributes(counted.sum.data_points[0].attributes) == {"kind": "a"}
    (point,) = timed.histogram.data_points
    assert (list(point.bucket_counts), list(point.explicit_bounds), point.sum) == ([0, 1, 0], [0.1, 1], 0.5)
    assert point.time_unix_nano > point.start_time_unix_nano == metrics.began_at


async def test_a_backend_that_adds_up_itself_gets_only_what_is_new(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "60000")
    metrics = Metrics()
    told, long = metrics.numbers(TOLD), metrics.histogram(LONG)

    with exporting_to(collector.url, metrics) as started:
        for seconds in (0.5, 0.05):
            told.add("a", amount=2)
            long.record(seconds, "a")
            await asyncio.to_thread(started.pusher.push)
        last = collector.metrics["orders", "store.told"].sum
        (point,) = collector.metrics["orders", "store.long"].histogram.data_points
        await close(started)

    assert last.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    assert last.data_points[0].as_int == 2
    assert list(point.bucket_counts) == [1, 0, 0]


def test_where_nothing_is_said_nothing_is_exported_and_nothing_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, env=SETTINGS, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
    assert exports.start("orders", Told(), Metrics()) is None


async def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector.running() as gone:
        pass
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")

    started = perf_counter()
    async with exports.running("orders", Told(gone.url), Metrics()):
        for _ in range(5000):  # more than a batch holds
            with telemetry.trace(None, "work"):
                pass

    assert perf_counter() - started < exports.CLOSING_SECONDS + 5


class Failing:
    """An exporter that has a defect once."""

    def __init__(self) -> None:
        self.calls, self.again = 0, Event()

    def export(self, *_: object, **__: object) -> None:
        self.calls += 1
        if self.calls == 1:
            raise KeyError("a defect")
        self.again.set()


def test_an_exporter_that_fails_once_is_given_the_next_figures() -> None:
    failing, points = Failing(), Points(Metrics(), Resource.create(), deltas=False)
    pusher = Pusher([(cast(MetricExporter, failing), points)], interval=0.01, timeout=1, stopped=Event())

    pusher.start()

    assert failing.again.wait(10)
    pusher.stopped.set()


@pytest.mark.parametrize(
    ("said", "roots", "of_kept", "of_dropped"),
    [
        ({}, (True, True), True, False),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, (False, False), False, False),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, (True, True), True, True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, (False, False), True, False),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, (True, False), True, True),
        ({"OTEL_TRACES_SAMPLER": "ParentBased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": ".5"}, (True, False), True, 0),
    ],
)  # fmt: skip
def test_a_sampler_decides_as_opentelemetry_says(
    said: Mapping[str, str], roots: tuple[bool, bool], of_kept: bool, of_dropped: bool
) -> None:
    decide, low, high = exporting.sampler(said), "f" * 16 + "0" * 15 + "1", "0" * 15 + "1" + "f" * 16

    assert (decide(low, None), decide(high, None)) == roots
    assert (decide(low, True), decide(low, False)) == (of_kept, of_dropped)


@pytest.mark.parametrize(
    "said",
    [
        {"OTEL_TRACES_SAMPLER": "some"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "x"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "soon"},
    ],
)
def test_what_cannot_be_read_is_said_at_the_start(said: Mapping[str, str]) -> None:
    with pytest.raises(Incomplete, match="OTEL_"):
        exporting.export(Resource({}), [Destination(None, None, deltas=False)], Metrics(), said)
