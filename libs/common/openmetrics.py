"""Figures as Prometheus reads them: OpenMetrics 1.0, as text."""

from collections.abc import Iterator
from itertools import accumulate

from libs.common.metrics import UNITS, Distribution, Histogram, Instrument, Labels, Measure, Metrics

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def text(metrics: Metrics) -> str:
    lines = [line for instrument in metrics.read() for line in _family(instrument)]
    return "\n".join([*lines, "# EOF", ""])


def _family(instrument: Instrument) -> Iterator[str]:
    about = instrument.about
    yield f"# TYPE {about.family} {about.kind}"
    if unit := UNITS.get(about.unit):
        yield f"# UNIT {about.family} {unit}"
    yield f"# HELP {about.family} {about.says.translate(ESCAPES)}"
    if isinstance(instrument, Histogram):
        for labels, distribution in instrument.read().items():
            yield from _distribution(about, labels, distribution)
    else:
        suffix = "_total" if about.kind == "counter" else ""
        for labels, value in instrument.read().items():
            yield f"{about.family}{suffix}{_braces(_pairs(about, labels))} {value:.15g}"


def _distribution(about: Measure, labels: Labels, distribution: Distribution) -> Iterator[str]:
    pairs = _pairs(about, labels)
    bounds = [*(f"{bound:g}" for bound in about.bounds), "+Inf"]
    for bound, count in zip(bounds, accumulate(distribution.counts), strict=True):
        below = f'le="{bound}"'
        yield f"{about.family}_bucket{_braces([*pairs, below])} {count}"
    yield f"{about.family}_count{_braces(pairs)} {distribution.count}"
    yield f"{about.family}_sum{_braces(pairs)} {distribution.sum:.15g}"


def _pairs(about: Measure, labels: Labels) -> list[str]:
    """Without those that are empty: to Prometheus a label without a value is none."""
    said = zip(about.labels, labels, strict=True)
    return [f'{name.replace(".", "_")}="{value.translate(ESCAPES)}"' for name, value in said if value]


def _braces(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""
