"""Application Insights: Microsoft's own exporters, as the managed identity; nothing is kept on disk meanwhile."""

from azure.identity import DefaultAzureCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter


def connect(connection_string: str) -> tuple[SpanExporter, MetricExporter]:
    """The root of the containers can't be written to, and what a collector misses is not worth a volume."""
    credential = DefaultAzureCredential()
    return (
        AzureMonitorTraceExporter(
            connection_string=connection_string, credential=credential, disable_offline_storage=True
        ),
        AzureMonitorMetricExporter(
            connection_string=connection_string, credential=credential, disable_offline_storage=True
        ),
    )
