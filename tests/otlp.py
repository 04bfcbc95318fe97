"""A collector: takes what is sent by OTLP/HTTP, as the protocol's own classes read it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


@dataclass(frozen=True, slots=True)
class Seen:
    service: str
    name: str
    kind: str
    trace_id: str
    id: str
    parent_id: str
    attributes: dict[str, Any]
    failed: bool
    nanoseconds: int


@dataclass(slots=True)
class Collector:
    url: str
    spans: list[Seen] = field(default_factory=list)
    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)  # the last of each service, by name

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Collector"]:
        door = socket.create_server(("127.0.0.1", 0))
        collector = cls(f"http://127.0.0.1:{door.getsockname()[1]}")
        app = web.Application(client_max_size=2**26)
        app.add_routes([web.post("/v1/traces", collector._traces), web.post("/v1/metrics", collector._metrics)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.SockSite(runner, door).start()
            yield collector
        finally:
            await runner.cleanup()

    def of(self, trace_id: str) -> list[Seen]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def _traces(self, request: web.Request) -> web.Response:
        for group in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            service = attributes(group.resource.attributes)["service.name"]
            self.spans += [_seen(service, span) for scope in group.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def _metrics(self, request: web.Request) -> web.Response:
        for group in ExportMetricsServiceRequest.FromString(await request.read()).resource_metrics:
            service = attributes(group.resource.attributes)["service.name"]
            for metric in (each for scope in group.scope_metrics for each in scope.metrics):
                self.metrics[service, metric.name] = metric
        return web.Response(content_type="application/x-protobuf")


def attributes(said: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in said}


def _seen(service: str, span: Span) -> Seen:
    return Seen(
        service,
        span.name,
        Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        attributes(span.attributes),
        span.status.code == Status.STATUS_CODE_ERROR,
        span.end_time_unix_nano - span.start_time_unix_nano,
    )
