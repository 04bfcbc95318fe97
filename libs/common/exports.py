"""Where spans and figures go, if anywhere: by OTLP, or to Azure Monitor. Where nothing is said, nothing is loaded."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from libs.common.metrics import Metrics

if TYPE_CHECKING:
    from libs.common.exporting import Exports

CLOSING_SECONDS = 3.0


class Told(Protocol):
    """What settings say of it. The other OTEL_* variables are read by OpenTelemetry's own exporters."""

    @property
    def otel_exporter_otlp_endpoint(self) -> str: ...
    @property
    def applicationinsights_connection_string(self) -> str: ...


def start(name: str, told: Told, metrics: Metrics) -> "Exports | None":
    """For the deployable `name`, from now on. Raises Incomplete where an OTEL_* variable can't be read."""
    if not (told.otel_exporter_otlp_endpoint or told.applicationinsights_connection_string):
        return None
    from libs.common import exporting

    return exporting.start(name, told, metrics)


@asynccontextmanager
async def running(name: str, told: Told, metrics: Metrics) -> AsyncIterator[None]:
    """What is left at the end still goes out, if somebody takes it within a few seconds."""
    exports = start(name, told, metrics)
    try:
        yield
    finally:
        if exports:
            await _closed(exports)


async def _closed(exports: "Exports") -> None:
    """In a thread that holds up nobody: the collector may not answer."""
    closing = threading.Thread(target=exports.close, name="exports", daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, CLOSING_SECONDS)
