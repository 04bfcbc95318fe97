"""Application Insights: Microsoft's own exporters, as the managed identity; nothing is kept on disk meanwhile."""

import os

from azure.identity import DefaultAzureCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter

# Else the exporters tell Microsoft, at an address of its own, how they fare, and ask there how they shall behave.
TO_OTHERS = ("STATSBEAT_DISABLED_ALL", "CONTROLPLANE_DISABLED", "SDKSTATS_DISABLED")


def connect(connection_string: str, resource: Resource) -> tuple[SpanExporter, MetricExporter]:
    """The root of a container can't be written to, and what is missed meanwhile is not worth a volume."""
    for variable in TO_OTHERS:
        os.environ.setdefault(f"APPLICATIONINSIGHTS_{variable}", "true")
    how = {
        "connection_string": connection_string,
        "credential": DefaultAzureCredential(),
        "disable_offline_storage": True,
    }
    provider = TracerProvider(resource=resource)  # only asked for its resource
    return AzureMonitorTraceExporter(tracer_provider=provider, **how), AzureMonitorMetricExporter(**how)
