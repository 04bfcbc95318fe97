"""`make scaling`: what the shipped scale rules do with a burst, a day and a million orders an hour.

From docs/scaling.json (measured), docs/scaling-assumed.yaml, docs/scaling-prices.yaml and docs/scaling-limits.yaml it
writes the tables into docs/scaling.md, and the plot beside it.
"""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.figures import DOCS, Figures, Numbers
from deploy.limits import MILLION_AN_HOUR, Limit, limits
from deploy.simulation import APPS, PLATFORMS, App, Rate, Second, Simulation, waited

BEGIN, END = "<!-- simulated -->", "<!-- /simulated -->"
HOUR, DAY = 3600, 86_400
PEAK = 2.0  # the busiest minute of a day against its average
CREDITS = 1000  # of Service Bus Standard in a second; beyond that it is reckoned as Premium
COLOURS = dict(zip(APPS, ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True))

Runs = Mapping[str, Mapping[str, list[Second]]]  # by scenario and platform


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    seconds: int
    rate: Rate


def day(orders: float) -> Rate:
    """Quiet at night, busiest in the afternoon, so many in all."""
    return lambda at: orders / DAY * (1 + (PEAK - 1) * math.sin(2 * math.pi * (at / DAY - 0.375)))


SCENARIOS = (
    Scenario("rest", HOUR, lambda _: 0.0),
    Scenario("steady: 5 a second", HOUR, lambda _: 5.0),
    Scenario("burst: 3,000 in a minute", HOUR, lambda at: 50.0 if 600 <= at < 660 else 1.0),
    Scenario("a day of a million", DAY, day(1e6)),
    Scenario("a tenfold day", DAY, day(1e7)),
    Scenario("a million an hour, for two hours", 3 * HOUR, lambda at: MILLION_AN_HOUR if at < 2 * HOUR else 0.0),
)


@dataclass(frozen=True, slots=True)
class Bill:
    """In dollars, for the time of a scenario; the database is in docs/engines.md."""

    prices: Mapping[str, Any]
    an_order: Numbers

    def of(self, run: list[Second]) -> float:
        return self.replicas(run) + self.bus(run) + self.grid(run)

    def replicas(self, run: list[Second]) -> float:
        price, orders = self.prices["container_apps"], sum(second.placed for second in run)
        ran = {name: sum(second.replicas[name] for second in run) for name in APPS}
        sizes = {name: App.shipped(name, "Container Apps") for name in APPS}
        vcpu = sum(ran[name] * sizes[name].cores for name in APPS) * price["vcpu_second"]
        gib = sum(ran[name] * sizes[name].gib for name in APPS) * price["gib_second"]
        return float(vcpu + gib + orders * self.an_order["requests"] * price["million_requests"] / 1e6)

    def bus(self, run: list[Second]) -> float:
        """A message is sent, received and completed: three operations, of which two cost a credit."""
        price, messages = self.prices["service_bus"], self.an_order["messages"]
        if self.premium(run):
            return float(len(run) / HOUR * price["premium_unit_hour"])
        operations = sum(second.placed for second in run) * messages * 3
        base = price["base_month"] / self.prices["hours"] * len(run) / HOUR
        return float(base + operations * price["million_operations"] / 1e6)

    def premium(self, run: list[Second]) -> bool:
        return max(second.placed for second in run) * self.an_order["messages"] * 2 > CREDITS

    def grid(self, run: list[Second]) -> float:
        an_order = self.an_order["events_on_orders"] + self.an_order["events_on_catalog"] + self.an_order["deliveries"]
        operations = sum(second.placed for second in run) * an_order
        return float(operations * self.prices["event_grid"]["million_operations"] / 1e6)


def table(head: list[str], rows: Iterable[list[str]], texts: tuple[int, ...] = (0,)) -> str:
    """`texts` are the columns that hold no numbers."""
    lines = [head, ["---" if number in texts else "---:" for number in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def scenario_table(runs: Runs, bill: Bill) -> str:
    head = ["", "on", "orders", *(f"{name}, most" for name in APPS), "waited at most, s", "half settled in, s"]
    rows = [
        [name, platform, *_found(run), *_paid(run, bill, platform)]
        for name, found in runs.items()
        for platform, run in found.items()
    ]
    return table([*head, "95 % in, s", "US dollars", "for 1,000 orders"], rows, texts=(0, 1))


def _found(run: list[Second]) -> list[str]:
    most = [f"{max(second.replicas[name] for second in run)}" for name in APPS]
    took = [f"{waited(run, share):,.0f}" for share in (0.5, 0.95)] if _orders(run) else ["", ""]
    return [f"{_orders(run):,.0f}", *most, f"{max(second.age for second in run):,.0f}", *took]


def _paid(run: list[Second], bill: Bill, platform: str) -> list[str]:
    if platform == "Kubernetes":
        return ["", ""]  # its nodes are paid, however many replicas there are
    dollars, orders = bill.of(run), _orders(run)
    return [f"{dollars:,.2f}{' *' if bill.premium(run) else ''}", f"{dollars / orders * 1000:,.3f}" if orders else ""]


def _orders(run: list[Second]) -> float:
    return sum(second.placed for second in run)


def limit_table(found: Iterable[Limit]) -> str:
    head = ["", "orders a second", "at a million an hour", "it can do in a second", "an order takes", "beyond"]
    return table(head, [each.row() for each in found], texts=(0, 3, 5))


def figure_table(figures: Figures) -> str:
    rows = [[name.replace("_", " "), f"{each.value:g}", each.source] for name, each in figures.all().items()]
    return table(["", "value", "from"], rows, texts=(0, 2))


def plot(runs: Runs, to: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "store"  # the same file from the same figures
    from matplotlib import pyplot

    shown = [name for name, found in runs.items() if any(_scales(run) for run in found.values())]
    columns = len(PLATFORMS)
    figure, grid = pyplot.subplots(2 * len(shown), columns, figsize=(10, 4 * len(shown)), layout="constrained")
    for row, name in enumerate(shown):
        for column, (platform, run) in enumerate(runs[name].items()):
            above, below = grid[2 * row][column], grid[2 * row + 1][column]
            above.set(title=f"{name}, {platform}", ylabel="replicas", ylim=(0, 11), yticks=(0, 5, 10))
            below.set(ylabel="left over", xlabel="minutes" if len(run) < DAY else "hours")
            _draw(above, below, run)
        grid[2 * row + 1][0].sharey(grid[2 * row + 1][1])
    grid[0][0].legend(loc="upper right", fontsize="small")
    figure.savefig(to, metadata={"Date": None})


def _scales(run: list[Second]) -> bool:
    return any(sum(second.replicas.values()) > len(APPS) for second in run)


def _draw(above: Any, below: Any, run: list[Second]) -> None:
    seconds = range(0, len(run), max(1, len(run) // 720))
    when = [at / (60 if len(run) < DAY else HOUR) for at in seconds]
    for name in APPS:
        above.step(
            when, [run[at].replicas[name] for at in seconds], where="post", label=name, color=COLOURS[name], lw=1
        )
        below.plot(when, [run[at].backlog[name] for at in seconds], color=COLOURS[name], lw=1)
    for axes in (above, below):
        axes.grid(visible=True, alpha=0.3)


def simulated(scenarios: Iterable[Scenario], numbers: Numbers) -> Runs:
    return {
        each.name: {name: Simulation.on(name, each.rate, numbers).run(each.seconds) for name in PLATFORMS}
        for each in scenarios
    }


def text(runs: Runs, figures: Figures, prices: Mapping[str, Any], found: Iterable[Limit]) -> str:
    """What stands between the markers."""
    parts = [
        f"At the prices of {prices['noted']}; * with one unit of Service Bus Premium, without it Standard:",
        scenario_table(runs, Bill(prices, figures.numbers())),
        "![Replicas and what waits, by time](scaling.svg)",
        f"What is reached first; a million orders an hour are {MILLION_AN_HOUR:.0f} a second:",
        limit_table(found),
        f"What it is made of. Measured on {figures.made}, whoever ordered on the same cores:",
        figure_table(figures),
    ]
    return "\n\n".join(parts)


def told(what: str) -> Any:
    return yaml.safe_load((DOCS / f"scaling-{what}.yaml").read_text())


def main() -> None:
    figures, page = Figures.read(), DOCS / "scaling.md"
    runs = simulated(SCENARIOS, figures.numbers())
    between = text(runs, figures, told("prices"), limits(told("limits"), figures.numbers()))
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{between}\n\n{END}{after}")
    plot(runs, DOCS / "scaling.svg")
    sys.stdout.write(f"written: {page.name}, scaling.svg\n")


if __name__ == "__main__":
    main()
