"""Which limit is reached first: what each part can do, and what an order takes of it (docs/scaling-limits.yaml)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.figures import Numbers
from deploy.simulation import WAY, App

MILLION_AN_HOUR = 1e6 / 3600  # orders in a second


@dataclass(frozen=True, slots=True)
class Limit:
    part: str
    most: float  # in a second
    unit: str
    an_order: float
    source: str
    beyond: str

    def orders(self) -> float:
        """In a second."""
        return self.most / self.an_order

    def row(self) -> list[str]:
        page = self.source.split()[0]
        part = f"[{self.part}]({page})" if page.startswith("https://") else self.part
        share = f"{MILLION_AN_HOUR / self.orders():.0%}"
        bold = f"**{share}**" if self.orders() < MILLION_AN_HOUR else share
        return [part, f"{self.orders():,.0f}", bold, f"{self.most:,.0f} {self.unit}", f"{self.an_order:g}", self.beyond]


def limits(told: list[Mapping[str, Any]], numbers: Numbers) -> list[Limit]:
    """What is reached first comes first."""
    found = [_of_app(each, numbers) if "app" in each else _of_part(each, numbers) for each in told]
    return sorted(found, key=Limit.orders)


def _of_part(told: Mapping[str, Any], numbers: Numbers) -> Limit:
    """What an order takes is a number, or how many of which figures."""
    takes = told["takes"]
    an_order = sum(numbers[name] * times for name, times in takes.items()) if isinstance(takes, dict) else takes
    return Limit(told["part"], told["limit"], told["unit"], round(an_order, 2), told["source"], told["beyond"])


def _of_app(told: Mapping[str, Any], numbers: Numbers) -> Limit:
    """As many replicas as its rule allows, or as it says."""
    name, app = told["app"], App.shipped(told["app"], "Container Apps")
    replicas = told.get("replicas") or max(scaler.rule.most for scaler in app.scalers.values())
    of_each = app.cores * numbers["utilisation"] - numbers["cores_at_rest"]
    an_order = sum(numbers[work.figure] for work in WAY.values() if work.app == name)
    part = f"{name}, {replicas:,} replicas of {app.cores:g} cores"
    unit = f"ms, at {100 * numbers['utilisation']:.0f} %, less what they take at rest"
    return Limit(part, replicas * of_each * 1000, unit, round(an_order, 2), told["source"], told["beyond"])
