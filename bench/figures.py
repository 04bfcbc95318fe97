"""What was measured, as `docs/benchmarks.json` keeps it."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import asdict


class Figures(Struct, frozen=True):
    """Of an operation: how many in a second, how long each takes, and what each costs of whose CPU.

    `service` is what answers: our process or the bare one; of pgbench there is none.
    """

    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    service_us: float
    database_us: float
    client_cores: float  # how busy the client was; at 1 it would have been measured itself


class Latency(Struct, frozen=True):
    """From the click until the order is confirmed, at so many orders a second."""

    asked_per_second: float
    orders: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Settled(Struct, frozen=True):
    """Orders from the click to the sold goods, as fast as the whole store can."""

    orders: int
    per_second: float
    cpu_us: Mapping[str, float]  # of each process, for an order


class Benchmarks(Struct, frozen=True):
    at: str
    machine: str
    load: float  # of the machine, before anything was started
    versions: Mapping[str, str]
    rounds: int
    round_seconds: float
    speed: Mapping[str, Mapping[str, Figures]]  # by operation and contender
    latencies: Sequence[Latency]
    settled: Settled
    memory: Mapping[str, Mapping[str, float]]  # megabytes by moment and process
    growth: Mapping[str, Mapping[int, Mapping[str, Figures]]]  # by what grows, how far it has, and operation


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that so large a share of them does not exceed (nearest rank). Raises ValueError."""
    if not values:
        raise ValueError("of nothing there is no percentile")
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def middle(rounds: Sequence[Figures]) -> Figures:
    """Of several rounds, each figure's median."""
    each = [asdict(figures) for figures in rounds]
    return Figures(**{name: median(figures[name] for figures in each) for name in each[0]})
