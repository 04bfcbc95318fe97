"""Application Insights: what Microsoft's own exporters send, to an ingestion endpoint on loopback."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from libs.common import exports, telemetry
from libs.common.metrics import Measure, Metrics
from libs.common.telemetry import Kind
from localcloud import certificates

pytestmark = pytest.mark.real

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TOLD = Measure("counter", "store.told", "{fact}", "Facts.", ("kind",))
LONG = Measure("histogram", "store.long", "s", "Time.", (), (0.1, 1))


@dataclass(slots=True)
class Ingestion:
    connection_string: str = ""
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        lines = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        self.tokens.add(request.headers["Authorization"])
        self.envelopes += lines
        answer = web.json_response({"itemsReceived": len(lines), "itemsAccepted": len(lines), "errors": []})
        answer.force_close()  # the exporters leave their connections open to the end
        return answer

    async def give(self, request: web.Request) -> web.Response:
        """A token for the managed identity."""
        return web.json_response(
            {
                "access_token": request.query["resource"],
                "expires_on": str(int(time.time()) + 3600),
                "token_type": "Bearer",
            }
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each["data"]["baseData"] for each in self.envelopes if each["data"]["baseType"] == kind]


@pytest.fixture
async def ingestion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ingestion]:
    ours, files = Ingestion(), certificates.ensure(tmp_path, datetime.now(UTC))
    app = web.Application()
    app.add_routes([web.post("/{path:.*}", ours.take), web.get("/token", ours.give)])
    runner, doors = (
        web.AppRunner(app, access_log=None, shutdown_timeout=1),
        [socket.create_server(("127.0.0.1", 0)) for _ in "ab"],
    )
    tls, plain = (door.getsockname()[1] for door in doors)
    await runner.setup()
    await web.SockSite(runner, doors[0], ssl_context=files.server_context()).start()
    await web.SockSite(runner, doors[1]).start()
    for name, value in {
        "REQUESTS_CA_BUNDLE": str(files.ca),
        "IDENTITY_ENDPOINT": f"http://127.0.0.1:{plain}/token",
        "IDENTITY_HEADER": "x",
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "OTEL_METRIC_EXPORT_INTERVAL": "60000",
    }.items():
        monkeypatch.setenv(name, value)
    key = "00000000-0000-0000-0000-000000000001"
    ours.connection_string = f"InstrumentationKey={key};IngestionEndpoint=https://127.0.0.1:{tls}/"
    try:
        yield ours
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Told:
    applicationinsights_connection_string: str
    otel_exporter_otlp_endpoint: str = ""


async def test_requests_dependencies_and_what_is_new_of_figures_arrive_as_the_managed_identity(
    ingestion: Ingestion,
) -> None:
    metrics = Metrics()
    told, long = metrics.numbers(TOLD), metrics.histogram(LONG)
    started = exports.start("orders", Told(ingestion.connection_string), metrics)
    assert started

    with telemetry.trace(
        f"00-{TRACE}-{CALLER}-01", "POST /api/orders", Kind.SERVER, {"http.request.method": "POST"}
    ) as ours:
        telemetry.note("http.response.status_code", 202)
        telemetry.leaf(ours, "fetch postgresql", Kind.CLIENT, time.time_ns(), {"db.system.name": "postgresql"})
    for seconds in (0.5, 0.25):
        told.add("a", amount=2)
        long.record(seconds)
        await asyncio.to_thread(started.pusher.push)
    await asyncio.to_thread(started.close)

    (request,), (dependency,) = ingestion.of("RequestData"), ingestion.of("RemoteDependencyData")
    assert (request["name"], request["responseCode"], request["success"]) == ("POST /api/orders", "202", True)
    assert dependency["name"] == "fetch postgresql"
    assert {each["tags"]["ai.operation.id"] for each in ingestion.envelopes if "Metric" not in each["name"]} == {TRACE}
    assert {each["tags"]["ai.cloud.role"] for each in ingestion.envelopes} == {"store.orders"}
    points = [point for each in ingestion.of("MetricData") for point in each["metrics"]]
    assert [point["value"] for point in points if point["name"] == "store.told"] == [2, 2, 0]
    assert [(point["value"], point["count"]) for point in points if point["name"] == "store.long"][:2] == [
        (0.5, 1),
        (0.25, 1),
    ]
    assert ingestion.tokens == {"Bearer https://monitor.azure.com/"}
