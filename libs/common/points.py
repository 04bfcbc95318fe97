"""A process's figures as OpenTelemetry's exporters take them."""

from collections.abc import Mapping
from time import time_ns
from typing import Any, TypeVar

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from libs.common.metrics import Distribution, Instrument, Labels, Measure, Metrics, Numbers

SCOPE = InstrumentationScope("store")
UNKNOWN: Any = None  # the least and the greatest of a distribution, which nobody keeps

V = TypeVar("V", float, Distribution)


class Points:
    """`deltas`: only what came since the last time; for a backend that adds up by itself."""

    def __init__(self, metrics: Metrics, resource: Resource, *, deltas: bool) -> None:
        self._metrics, self._resource, self._deltas = metrics, resource, deltas
        self._before: dict[Measure, Mapping[Labels, Any]] = {}
        self._began_at = metrics.began_at

    def take(self) -> MetricsData:
        at = time_ns()
        metrics = [
            Metric(each.about.name, each.about.says, each.about.unit, self._points(each, at))
            for each in self._metrics.read()
        ]
        if self._deltas:
            self._began_at = at
        known = [metric for metric in metrics if metric.data.data_points]
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(SCOPE, known, "")], "")])

    def _points(self, instrument: Instrument, at: int) -> Sum | Gauge | Histogram:
        about = instrument.about
        how = AggregationTemporality.DELTA if self._deltas else AggregationTemporality.CUMULATIVE
        if isinstance(instrument, Numbers):
            values = instrument.read() if about.kind == "gauge" else self._since(about, instrument.read())
            numbers = [
                NumberDataPoint(_attributes(about, labels), self._began_at, at, value)
                for labels, value in values.items()
            ]
            return Gauge(numbers) if about.kind == "gauge" else Sum(numbers, how, is_monotonic=True)
        distributions = [
            _distribution(about, labels, (self._began_at, at), each)
            for labels, each in self._since(about, instrument.read()).items()
        ]
        return Histogram(distributions, how)

    def _since(self, about: Measure, values: Mapping[Labels, V]) -> Mapping[Labels, V]:
        if not self._deltas:
            return values
        before, self._before[about] = self._before.get(about, {}), values
        return {labels: _less(value, before[labels]) if labels in before else value for labels, value in values.items()}


def _less(value: V, before: V) -> V:
    if isinstance(value, Distribution) and isinstance(before, Distribution):
        counts = tuple(now - then for now, then in zip(value.counts, before.counts, strict=True))
        return Distribution(counts, value.sum - before.sum)
    return value - before


def _distribution(about: Measure, labels: Labels, span: tuple[int, int], each: Distribution) -> HistogramDataPoint:
    return HistogramDataPoint(
        _attributes(about, labels),
        *span,
        count=each.count,
        sum=each.sum,
        bucket_counts=each.counts,
        explicit_bounds=about.bounds,
        min=UNKNOWN,
        max=UNKNOWN,
    )


def _attributes(about: Measure, labels: Labels) -> dict[str, str]:
    """Without those that are empty."""
    return {name: value for name, value in zip(about.labels, labels, strict=True) if value}
