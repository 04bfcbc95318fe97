"""What each engine would cost a month: operations from docs/engines.json times prices from docs/prices.yaml.

`make costs` writes the tables into docs/engines.md, and the plot beside it.
"""

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
PER_DAY = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
DAYS, HOURS = 30.4, 730
NAMES = {
    "postgresql": "PostgreSQL",
    "azuresql": "Azure SQL",
    "table_storage": "Table Storage",
    "cosmos": "Cosmos DB for Table",
}

Numbers = Mapping[str, float]


class Costs:
    def __init__(self, found: Mapping[str, Any], prices: Mapping[str, Any]) -> None:
        self.prices, self.model = prices, prices["model"]
        self.orders: Mapping[str, Numbers] = found["per_1000_orders"]
        self.idle: Mapping[str, Numbers] = found["idle_per_hour"]

    def monthly(self, engine: str, orders: float) -> float:
        """In dollars, for so many orders a month."""
        if engine in ("postgresql", "azuresql"):
            return self._servers(engine, orders) + self._kept(engine, "postgres", orders)
        return self._asked(engine, orders) + self._kept(engine, "tables", orders)

    def cores(self, orders: float) -> float:
        """In the busiest hour; of Azure SQL it is taken to be the same."""
        seconds = self.orders["postgres"]["cpu_milliseconds"] * orders / 1e6
        return float(seconds / (HOURS * 3600) * self.model["peak"] / self.model["utilisation"])

    def _servers(self, engine: str, orders: float) -> float:
        """Sizes double. Where each service has its own, the work is taken to be spread evenly."""
        price = self.prices[engine]
        of_each = self.cores(orders) / price["databases"]
        doublings = max(0, math.ceil(math.log2(of_each / price["smallest_vcores"])))
        return float(price["databases"] * price["smallest_vcores"] * 2**doublings * price["vcore_month"])

    def _asked(self, engine: str, orders: float) -> float:
        price, weigh = self.prices[engine], self.transactions if engine == "table_storage" else self.request_units
        million = (weigh(self.orders["tables"]) * orders / 1000 + weigh(self.idle["tables"]) * HOURS) / 1e6
        return float(million * price.get("million_transactions", price.get("million_request_units")))

    def transactions(self, asked: Numbers) -> float:
        return asked["point_reads"] + asked["queries"] + asked["transactions"]

    def request_units(self, asked: Numbers) -> float:
        price = self.prices["cosmos"]
        reads = asked["point_reads"] * price["point_read"] + asked["queries"] * price["query"]
        return float(reads + asked["entities_written"] * price["entity_written"])

    def _kept(self, engine: str, measured: str, orders: float) -> float:
        gigabytes = self.orders[measured]["bytes_kept"] / 1000 * orders * self.model["months_kept"] / 1e9
        return float(gigabytes * self.prices[engine]["gb_month"])


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def speed_table(found: Mapping[str, Any]) -> str:
    head = ["", "a second", "p50 ms", "p95 ms", "CPU µs, service", "CPU µs, server"]
    rows = []
    for what, said in (("place", "place an order"), ("list", "list 20 of 1,000 products")):
        for engine, rates in found["speed"].items():
            rate = rates[what]
            server = "a stand-in" if engine == "azuresql" else f"{rate['server_us']:,.0f}"
            figures = [f"{rate[name]:,.0f}" for name in ("per_second", "p50_ms", "p95_ms", "client_us")]
            rows.append([f"{said}, {engine}", *figures, server])
    return table(head, rows)


def operations_table(found: Mapping[str, Any], costs: Costs) -> str:
    head = ["", "for 1,000 orders", "an hour at rest"]
    orders, idle = found["per_1000_orders"], found["idle_per_hour"]
    rows = [
        [f"{engine}: {name.replace('_', ' ')}", f"{each[name]:,.0f}", f"{idle[engine][name]:,.0f}"]
        for engine, each in orders.items()
        for name in each
    ]
    weighed: list[tuple[str, Callable[[Numbers], float]]] = [
        ("Table Storage: transactions to be paid", costs.transactions),
        ("Cosmos DB: request units, estimated", costs.request_units),
    ]
    rows += [[said, f"{weigh(orders['tables']):,.0f}", f"{weigh(idle['tables']):,.0f}"] for said, weigh in weighed]
    return table(head, rows)


def cost_table(costs: Costs) -> str:
    head = ["orders a day", *NAMES.values(), "cores in the busiest hour"]
    rows = [
        [f"{day:,}", *(f"{costs.monthly(each, day * DAYS):,.2f}" for each in NAMES), f"{costs.cores(day * DAYS):,.2f}"]
        for day in PER_DAY
    ]
    return table(head, rows)


def plot(costs: Costs, noted: object, to: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "store"  # the same file from the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    days = [10 ** (number / 10) for number in range(10, 61)]
    for engine, name in NAMES.items():
        axes.loglog(days, [costs.monthly(engine, day * DAYS) for day in days], label=name)
    axes.set(xlabel="orders a day", ylabel="US dollars a month", title=f"The database's bill, at prices of {noted}")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(to, metadata={"Date": None})


def main() -> None:
    found = msgspec.json.decode((DOCS / "engines.json").read_bytes())
    prices = yaml.safe_load((DOCS / "prices.yaml").read_text())
    costs, page = Costs(found, prices), DOCS / "engines.md"
    parts = [
        f"Measured on {found['at']}: {found['machine']}, client and server on the same cores.",
        speed_table(found),
        operations_table(found, costs),
        f"US dollars a month, at the prices of {prices['noted']}:",
        cost_table(costs),
        "![The database's bill by orders a day](engines.svg)",
    ]
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n\n".join(parts)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
    plot(costs, prices["noted"], DOCS / "engines.svg")
    sys.stdout.write(f"written: {page.name}, engines.svg\n")


if __name__ == "__main__":
    main()
