"""Figures of one process: counters, gauges and histograms that cost next to nothing, read by whoever wants them.

They are added to by the event loop's thread only, and read by any.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from time import time_ns
from typing import Literal

MOST_SERIES = 1000  # of one instrument; what is beyond is counted as OTHER
OTHER = "other"
UNITS = {"s": "seconds", "By": "bytes"}  # UCUM's names, which OpenTelemetry speaks, and those of Prometheus

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured. `name` and `unit` are OpenTelemetry's: dots, and UCUM; `labels` have few values each."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    unit: str
    says: str
    labels: Labels = ()
    bounds: tuple[float, ...] = ()  # of a histogram's buckets

    @property
    def family(self) -> str:
        """The name that Prometheus knows it by; of a counter without its `_total`."""
        unit = UNITS.get(self.unit)
        return self.name.replace(".", "_") + (f"_{unit}" if unit else "")


@dataclass(slots=True)
class Numbers:
    """The values of a counter or a gauge, by labels."""

    about: Measure
    cells: dict[Labels, float] = field(default_factory=dict)

    def add(self, *labels: str, amount: float = 1) -> None:
        labels = _room(self.cells, labels)
        self.cells[labels] = self.cells.get(labels, 0) + amount

    def set(self, value: float, *labels: str) -> None:
        self.cells[_room(self.cells, labels)] = value

    def clear(self) -> None:
        """What a gauge has said holds no longer."""
        self.cells = {}

    def read(self) -> dict[Labels, float]:
        return self.cells.copy()


@dataclass(frozen=True, slots=True)
class Distribution:
    counts: tuple[int, ...]  # of each bucket by itself; the last one has no upper bound
    sum: float

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(slots=True)
class _Cell:
    counts: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class Histogram:
    about: Measure
    cells: dict[Labels, _Cell] = field(default_factory=dict)

    def record(self, value: float, *labels: str) -> None:
        cell = self.cells.get(labels)
        if cell is None:
            empty = _Cell([0] * (len(self.about.bounds) + 1))
            cell = self.cells.setdefault(_room(self.cells, labels), empty)
        cell.counts[bisect_left(self.about.bounds, value)] += 1
        cell.sum += value

    def read(self) -> dict[Labels, Distribution]:
        return {labels: Distribution(tuple(cell.counts), cell.sum) for labels, cell in self.cells.copy().items()}


Instrument = Numbers | Histogram


class Metrics:
    """A process's instruments, made at its start and handed to those who have something to count."""

    def __init__(self) -> None:
        self.began_at = time_ns()
        self._instruments: list[Instrument] = []
        self._looks: list[Callable[[], None]] = []

    def numbers(self, about: Measure) -> Numbers:
        made = Numbers(about)
        self._instruments.append(made)
        return made

    def histogram(self, about: Measure) -> Histogram:
        made = Histogram(about)
        self._instruments.append(made)
        return made

    def before_reading(self, look: Callable[[], None]) -> None:
        """For gauges of what is known anyway: `look` sets them whenever somebody reads."""
        self._looks.append(look)

    def read(self) -> list[Instrument]:
        for look in self._looks:
            look()
        return list(self._instruments)


def _room(cells: dict[Labels, float] | dict[Labels, _Cell], labels: Labels) -> Labels:
    return labels if labels in cells or len(cells) < MOST_SERIES else (OTHER,) * len(labels)
