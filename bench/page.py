"""docs/benchmarks.md and its plots, from docs/benchmarks.json. `python -m bench.page` writes them anew."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.costs import table
from bench.figures import Benchmarks, Figures
from bench.load import CONNECTIONS
from libs.common.postgres_pool import POOL_SIZE

DOCS = Path(__file__).parents[1] / "docs"
OPERATIONS = {
    "place": "place an order",
    "list": "list 20 products",
    "apart": "list 20 products, each other ones",
    "read": "read a product",
    "unchanged": "read a product that the caller has (304)",
    "search": "search two words",
    "mine": "list 20 of my orders",
}
CONTENDERS = {"service": "the service", "bare": "bare aiohttp", "pgbench": "pgbench"}
AIMS = [
    ("place", "pgbench", 0.5),
    ("place", "bare", 0.7),
    ("list", "bare", 0.7),
    ("apart", "bare", 0.7),
    ("read", "bare", 0.7),
    ("unchanged", "bare", 0.9),
]
RATE = ["a second", "p50 ms", "p95 ms", "p99 ms", "CPU µs, service", "CPU µs, PostgreSQL"]
GROWN = {"products": "products", "orders": "old orders", "processes": "processes of orders"}


TEXT = """\
# Benchmarks

Written by `make bench` on {at}: {machine}, all on the same cores; {versions}.
The load before was {load:.1f}. Each figure is the median of {rounds} rounds of {seconds:g} s, in turns.
What costs what, and what was done about it: [performance.md](performance.md).

## One process against the least that could answer

The client has {connections} connections and asks the next once it is answered; it is a process of its own and took at
most {busiest:.2f} of a core. *Bare aiohttp* runs the same statement on uvloop and a pool of the same size ({pool}), and
answers the same bytes, without token, rule or log. *pgbench* runs it on {pool} connections and throws the rows away.
Facts are told to a topic that takes them and tells nobody. The service does together what comes together: orders and
reads share a statement, and whoever asks for the same list an answer, unless each asks for *other ones*.

{speed}

{aims}

![Operations a second](benchmarks-speed.svg)

## The whole store

From the click until the order is confirmed: placed, told, reserved, authorised, told again, confirmed. Orders come at
their times, whether or not those before are answered.

{latencies}

As fast as it can, it settles {settled:,.1f} orders a second ({orders:,} orders, until nothing is on its way any more).
CPU of each process for an order, and its memory (shared pages once):

{processes}

## Growth

{growth}

![What grows, and the rates](benchmarks-growth.svg)
"""


def text(found: Benchmarks) -> str:
    return TEXT.format(
        at=found.at,
        machine=found.machine,
        versions=", ".join(f"{name} {version}" for name, version in sorted(found.versions.items())),
        load=found.load,
        rounds=found.rounds,
        seconds=found.round_seconds,
        connections=CONNECTIONS,
        busiest=_busiest(found),
        pool=POOL_SIZE,
        speed=_speed(found),
        aims=_aims(found),
        latencies=_latencies(found),
        settled=found.settled.per_second,
        orders=found.settled.orders,
        processes=_processes(found),
        growth="\n\n".join(_grown(what, found.growth[what]) for what in GROWN),
    )


def ratios(found: Benchmarks) -> list[tuple[str, str, float, float]]:
    """Operation, against whom, the aim, and what it is."""
    return [
        (what, who, aim, found.speed[what]["service"].per_second / found.speed[what][who].per_second)
        for what, who, aim in AIMS
    ]


def _busiest(found: Benchmarks) -> float:
    grown = [each for steps in found.growth.values() for step in steps.values() for each in step.values()]
    return max(each.client_cores for each in [*grown, *(one for of in found.speed.values() for one in of.values())])


def _rate(figures: Figures) -> list[str]:
    times = (figures.p50_ms, figures.p95_ms, figures.p99_ms)
    service = f"{figures.service_us:,.0f}" if figures.service_us else ""
    return [f"{figures.per_second:,.0f}", *(f"{ms:.1f}" for ms in times), service, f"{figures.database_us:,.0f}"]


def _speed(found: Benchmarks) -> str:
    rows = [
        [f"{said}, {name}", *_rate(found.speed[what][who])]
        for what, said in OPERATIONS.items()
        if what in found.speed
        for who, name in CONTENDERS.items()
        if who in found.speed[what]
    ]
    return table(["", *RATE], rows)


def _aims(found: Benchmarks) -> str:
    rows = [
        [f"{OPERATIONS[what]}, of {CONTENDERS[who]}", f"{aim:.1f}", f"{ratio:.2f}", "yes" if ratio >= aim else "**no**"]
        for what, who, aim, ratio in ratios(found)
    ]
    return table(["the service's rate", "aim", "measured", "reached"], rows)


def _latencies(found: Benchmarks) -> str:
    rows = [
        [
            f"{each.asked_per_second:g}",
            f"{each.orders:,}",
            *(f"{ms:,.0f}" for ms in (each.p50_ms, each.p95_ms, each.p99_ms)),
        ]
        for each in found.latencies
    ]
    return table(["orders a second", "orders", "p50 ms", "p95 ms", "p99 ms"], rows)


def _processes(found: Benchmarks) -> str:
    columns = [found.settled.cpu_us, *found.memory.values()]
    rows = [[name, *(f"{column.get(name, 0):,.0f}" for column in columns)] for name in sorted(found.settled.cpu_us)]
    rows.append(["all", *(f"{sum(column.values()):,.0f}" for column in columns)])
    return table(["process", "CPU µs an order", *(f"MB {moment}" for moment in found.memory)], rows)


def _grown(what: str, steps: Mapping[int, Mapping[str, Figures]]) -> str:
    rows = [
        [f"{many:,}: {OPERATIONS[name]}", *_rate(each)]
        for many, step in sorted(steps.items())
        for name, each in step.items()
    ]
    return table([GROWN[what], *RATE], rows)


# --- plots --------------------------------------------------------------------------------------------------------


def plot(found: Benchmarks, to: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "store"  # the same file from the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    _plot_speed(axes, found)
    figure.savefig(to / "benchmarks-speed.svg", metadata={"Date": None})
    figure, panels = pyplot.subplots(1, len(GROWN), figsize=(9, 3.5), layout="constrained")
    for axes, what in zip(panels, GROWN, strict=True):
        _plot_growth(axes, what, found)
    figure.savefig(to / "benchmarks-growth.svg", metadata={"Date": None})
    pyplot.close("all")


def _plot_speed(axes: Any, found: Benchmarks) -> None:
    operations: Sequence[str] = [what for what in OPERATIONS if what in found.speed]
    width = 0.8 / len(CONTENDERS)
    for number, (who, name) in enumerate(CONTENDERS.items()):
        there = [
            (at, found.speed[what][who].per_second) for at, what in enumerate(operations) if who in found.speed[what]
        ]
        axes.bar([at + (number - 1) * width for at, _ in there], [rate for _, rate in there], width, label=name)
    axes.set_xticks(range(len(operations)), operations)
    axes.set(ylabel="a second", title="One process, the same statement")
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.legend()


def _plot_growth(axes: Any, what: str, found: Benchmarks) -> None:
    steps = sorted(found.growth[what].items())
    for name in steps[0][1]:
        rates = [step[name].per_second for _, step in steps]
        axes.plot([f"{many:,}" for many, _ in steps], rates, marker="o", label=name)
    axes.set(xlabel=GROWN[what], ylabel="a second")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def write(found: Benchmarks, to: Path) -> None:
    (to / "benchmarks.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    (to / "benchmarks.md").write_text(text(found))
    plot(found, to)


def read(folder: Path) -> Benchmarks:
    return msgspec.json.decode((folder / "benchmarks.json").read_bytes(), type=Benchmarks)


if __name__ == "__main__":
    write(read(DOCS), DOCS)
    sys.stdout.write("written: benchmarks.md and its plots\n")
