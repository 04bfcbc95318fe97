"""Spans and figures through OpenTelemetry's exporters. Imported only where there is somewhere to send them to."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import structlog
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from libs.common import telemetry
from libs.common.exports import Told
from libs.common.metrics import Metrics
from libs.common.points import Points
from libs.common.settings import Incomplete
from libs.common.telemetry import Span

log = structlog.get_logger()

SCOPE = InstrumentationScope("store")
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
FINE, FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)
KINDS = {kind: SpanKind[kind.name] for kind in telemetry.Kind}
ROOTS = ("always_on", "always_off", "traceidratio")

Samples = Callable[[str, bool | None], bool]


@dataclass(frozen=True, slots=True)
class Destination:
    spans: SpanExporter | None
    figures: MetricExporter | None
    deltas: bool  # whether it adds up by itself


@dataclass(frozen=True, slots=True)
class SpanRecorder:
    """Hands ended spans to batches of bounded length, which threads send; a batch that is full drops the oldest."""

    batches: Sequence[BatchSpanProcessor]
    resource: Resource
    decide: Samples

    def samples(self, trace_id: str, parent: bool | None) -> bool:
        return self.decide(trace_id, parent)

    def record(self, span: Span) -> None:
        trace_id = int(span.trace_id, 16)
        parent = SpanContext(trace_id, int(span.parent_id, 16), True, SAMPLED) if span.parent_id else None
        about = span.attributes | {"error.type": span.failure} if span.failure else span.attributes
        readable = ReadableSpan(
            span.name,
            SpanContext(trace_id, int(span.id, 16), False, SAMPLED),
            parent,
            self.resource,
            about,
            kind=KINDS[span.kind],
            status=FAILED if span.failure else FINE,
            start_time=span.started_at,
            end_time=span.ended_at,
            instrumentation_scope=SCOPE,
        )
        for batch in self.batches:
            batch.on_end(readable)


@dataclass(frozen=True, slots=True)
class Pusher:
    """Sends all figures in intervals, in a thread of its own."""

    destinations: Sequence[tuple[MetricExporter, Points]]
    interval: float
    timeout: float
    stopped: threading.Event

    def start(self) -> None:
        threading.Thread(target=self._run, name="figures", daemon=True).start()

    def _run(self) -> None:
        while not self.stopped.wait(self.interval):
            try:
                self.push()
            except Exception:  # of an exporter; the next figures may go out again
                log.exception("figures.failed")

    def push(self) -> None:
        for exporter, points in self.destinations:
            exporter.export(points.take(), timeout_millis=self.timeout * 1000)


@dataclass(frozen=True, slots=True)
class Exports:
    recorder: SpanRecorder
    pusher: Pusher

    def close(self) -> None:
        """Blocks: what is left goes out first."""
        telemetry.record_with(None)
        self.pusher.stopped.set()
        for batch in self.recorder.batches:
            batch.shutdown()  # type: ignore[no-untyped-call]
        self.pusher.push()
        for exporter, _ in self.pusher.destinations:
            exporter.shutdown()


def start(name: str, told: Told, metrics: Metrics) -> Exports:
    about = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", name),
        "service.namespace": "store",
        "service.instance.id": str(uuid4()),
    }
    resource = Resource.create(about)
    return export(resource, list(_destinations(told, resource)), metrics, os.environ)


def export(
    resource: Resource, destinations: Sequence[Destination], metrics: Metrics, environment: Mapping[str, str]
) -> Exports:
    batches = [BatchSpanProcessor(each.spans) for each in destinations if each.spans]
    recorder = SpanRecorder(batches, resource, sampler(environment))
    figures = [(each.figures, Points(metrics, resource, deltas=each.deltas)) for each in destinations if each.figures]
    interval = _seconds(environment, "OTEL_METRIC_EXPORT_INTERVAL", 60)
    pusher = Pusher(figures, interval, _seconds(environment, "OTEL_METRIC_EXPORT_TIMEOUT", 30), threading.Event())
    if batches:
        telemetry.record_with(recorder)
    pusher.start()
    return Exports(recorder, pusher)


def _destinations(told: Told, resource: Resource) -> Iterator[Destination]:
    if told.otel_exporter_otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        deltas = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "").lower() == "delta"
        spans = OTLPSpanExporter() if os.environ.get("OTEL_TRACES_EXPORTER") != "none" else None
        figures = OTLPMetricExporter() if os.environ.get("OTEL_METRICS_EXPORTER") != "none" else None
        yield Destination(spans, figures, deltas)
    if told.applicationinsights_connection_string:
        from libs.common.azure_monitor import connect

        yield Destination(*connect(told.applicationinsights_connection_string, resource), deltas=True)


def sampler(environment: Mapping[str, str]) -> Samples:
    """OTEL_TRACES_SAMPLER, as OpenTelemetry defines it. Raises Incomplete."""
    name = environment.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").lower()
    root = name.removeprefix("parentbased_")
    try:
        rate = float(environment.get("OTEL_TRACES_SAMPLER_ARG", "1"))
        share = {"always_on": 1.0, "always_off": 0.0, "traceidratio": rate}[root]
    except (KeyError, ValueError) as error:
        known = ", ".join([*ROOTS, *(f"parentbased_{each}" for each in ROOTS)])
        raise Incomplete(f"OTEL_TRACES_SAMPLER is one of {known}, and its _ARG a number") from error
    bound, parent_decides = round(share * 2**64), name != root

    def decide(trace_id: str, parent: bool | None) -> bool:
        if parent_decides and parent is not None:
            return parent
        return int(trace_id[16:], 16) < bound

    return decide


def _seconds(environment: Mapping[str, str], name: str, usual: float) -> float:
    """Raises Incomplete."""
    try:
        return float(environment.get(name, usual * 1000)) / 1000
    except ValueError as error:
        raise Incomplete(f"{name} is a number of milliseconds") from error
