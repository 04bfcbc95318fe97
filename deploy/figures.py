"""What the simulation reckons with: what `make bench-orders` has measured, and what is assumed or counted by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

DOCS = Path(__file__).parents[1] / "docs"

Numbers = Mapping[str, float]

# A step's figure: whose processor, in which half of an order's way, and how many times an order takes it.
STEPS = {
    "cpu_ms_place": ("orders", "place", 1),
    "cpu_ms_orders_message": ("orders", "settle", 3),
    "cpu_ms_catalog_message": ("catalog", "settle", 2),
    "cpu_ms_examine": ("functions", "place", 1),
    "cpu_ms_call": ("functions", "settle", 3),
    "cpu_ms_lookup": ("customers", "place", 1),
    "cpu_ms_address": ("customers", "settle", 1),
}
SERVICES = ("catalog", "orders", "customers")


@dataclass(frozen=True, slots=True)
class Figure:
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Figures:
    measured: Mapping[str, Figure]
    assumed: Mapping[str, Figure]
    counted: Mapping[str, Figure]  # for an order
    made: str  # when, where, on what

    @classmethod
    def read(cls) -> "Figures":
        found = msgspec.json.decode((DOCS / "scaling.json").read_bytes())
        told = yaml.safe_load((DOCS / "scaling-assumed.yaml").read_text())
        return cls(measured(found), _told(told["figures"]), _told(told["for_an_order"]), _made(found))

    def all(self) -> Mapping[str, Figure]:
        return {**self.measured, **self.assumed, **self.counted}

    def numbers(self) -> Numbers:
        return {name: figure.value for name, figure in self.all().items()}


def measured(found: Mapping[str, Any]) -> dict[str, Figure]:
    """All of an order is taken from the run in which everything ran; how it is shared out, from the two halves."""
    steps = {name: _step(found["cpu_ms"], *step) for name, step in STEPS.items()}
    database = Figure(found["cpu_ms"]["whole"]["postgres"], "PostgreSQL, for an order")
    rest = Figure(max(found["cores_at_rest"][name] for name in SERVICES), "a service's process that has nothing to do")
    settled = Figure(found["settled_per_second"], "a check, not an input: where emulators and all share the processors")
    return {**steps, "cpu_ms_database": database, "cores_at_rest": rest, "settled_per_second": settled}


def _step(cpu_ms: Mapping[str, Numbers], app: str, half: str, times: int) -> Figure:
    whole = cpu_ms["whole"][app]
    share = cpu_ms[half][app] / (cpu_ms["place"][app] + cpu_ms["settle"][app])
    said = f"{app}: {share:.0%} of {whole:.2f} ms for an order" + (f", {times} times" if times > 1 else "")
    return Figure(round(whole * share / times, 3), said)


def _told(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Figure]:
    return {name: Figure(each["value"], each["from"]) for name, each in entries.items()}


def _made(found: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{found['at']}, {found['orders']} orders on {found['machine']}, with {versions}"
