"""What is simulated adds up, and docs/scaling.md says what the figures beside it give."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from deploy import simulate
from deploy.simulate import SCENARIOS, Bill, figure_table, limit_table, reach
from deploy.simulation import APPS, PLATFORMS, Line, Second, Simulation, scales_on, waited

pytestmark = pytest.mark.deploy

DOCS = Path(__file__).parents[2] / "docs"
FOUND = msgspec.json.decode((DOCS / "scaling.json").read_bytes())
FIGURES = {name: each["value"] for name, each in FOUND["figures"].items()}
AN_ORDER = {name: each["value"] for name, each in FOUND["for_an_order"].items()}
PRICES = yaml.safe_load((DOCS / "scaling-prices.yaml").read_text())
LIMITS = yaml.safe_load((DOCS / "scaling-limits.yaml").read_text())
SHORT = [each for each in SCENARIOS if each.seconds < simulate.DAY]


@pytest.fixture(scope="module")
def runs() -> simulate.Runs:
    return {
        each.name: {name: Simulation.on(name, each.rate, FIGURES).run(each.seconds) for name in PLATFORMS}
        for each in SHORT
    }


def test_every_order_that_came_before_the_calm_is_settled(runs: simulate.Runs) -> None:
    for run in runs["a million an hour, for two hours"].values():
        assert sum(second.settled for second in run) == pytest.approx(sum(second.placed for second in run))


def test_replicas_are_never_fewer_or_more_than_the_shipped_rules_allow(runs: simulate.Runs) -> None:
    seen = {
        count
        for found in runs.values()
        for run in found.values()
        for second in run
        for count in second.replicas.values()
    }

    assert (min(seen), max(seen)) == (1, 10)


def test_after_the_burst_there_is_one_of_each_again(runs: simulate.Runs) -> None:
    for run in runs["burst: 3,000 in a minute"].values():
        assert max(sum(second.replicas.values()) for second in run) > len(APPS)
        assert set(run[-1].replicas.values()) == {1}


def test_the_page_says_what_the_figures_give(runs: simulate.Runs) -> None:
    page = (DOCS / "scaling.md").read_text()
    rows = simulate.scenario_table(runs, Bill(PRICES, AN_ORDER)).splitlines()

    assert [row for row in rows if row not in page] == []
    assert limit_table(LIMITS) in page
    assert figure_table(FOUND) in page


@pytest.mark.parametrize(
    ("of", "price"),
    [
        ("container_apps", "vcpu_second"),
        ("container_apps", "gib_second"),
        ("container_apps", "million_requests"),
        ("service_bus", "base_month"),
        ("service_bus", "million_operations"),
        ("event_grid", "million_operations"),
    ],
)
def test_each_price_counts(runs: simulate.Runs, of: str, price: str) -> None:
    dearer = deepcopy(PRICES)
    dearer[of][price] *= 2
    run = runs["steady: 5 a second"]["Container Apps"]

    assert Bill(dearer, AN_ORDER).of(run) > Bill(PRICES, AN_ORDER).of(run)


def test_an_hour_of_rest_is_billed_as_worked_out_by_hand(runs: simulate.Runs) -> None:
    run = runs["rest"]["Container Apps"]
    vcpu_seconds, gib_seconds = 3600 * (3 * 0.25 + 0.5), 3600 * (3 * 0.5 + 1)
    bus = PRICES["service_bus"]["base_month"] / PRICES["hours"]

    expected = vcpu_seconds * 0.000034 + gib_seconds * 0.000004 + bus
    assert Bill(PRICES, AN_ORDER).of(run) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("part", "an_order"),
    [
        ("Service Bus Standard, a namespace", AN_ORDER["messages"] * 2),
        ("Service Bus Premium, one unit", AN_ORDER["messages"] * 2 * FIGURES["message_kib"]),
        ("Event Grid, the topic of orders", AN_ORDER["events_on_orders"]),
        ("PostgreSQL, 2 vCores for all services", FIGURES["cpu_ms_database"] / 1000),
        ("catalog, 10 replicas of 0.25 cores", 2 * FIGURES["cpu_ms_catalog_message"] / 1000),
        ("orders, 10 replicas of 0.25 cores", (FIGURES["cpu_ms_place"] + FIGURES["cpu_ms_confirm"]) / 1000),
        ("functions, 10 replicas of 0.5 cores", 2 * FIGURES["cpu_ms_function"] / 1000),
    ],
)
def test_what_an_order_takes_is_the_same_in_both_files(part: str, an_order: float) -> None:
    assert next(each for each in LIMITS if each["part"] == part)["an_order"] == pytest.approx(an_order)


def test_what_an_order_takes_of_table_storage_is_what_the_engines_page_says() -> None:
    asked: dict[str, Any] = msgspec.json.decode((DOCS / "engines.json").read_bytes())["per_1000_orders"]["tables"]
    transactions = asked["point_reads"] + asked["queries"] + asked["transactions"]

    an_order = next(each for each in LIMITS if "an account" in each["part"])["an_order"]
    assert an_order == pytest.approx(transactions / 1000, abs=0.05)


def test_standard_service_bus_is_what_a_million_orders_an_hour_reach_first() -> None:
    first = min(LIMITS, key=reach)

    assert first["part"].startswith("Service Bus Standard")
    assert reach(first) < simulate.MILLION_AN_HOUR


def test_a_line_is_first_in_first_out() -> None:
    line = Line()
    line.add(1, 10)
    line.add(2, 10)

    assert (line.take(15), line.total, line.age(5)) == (15, 5, 3)
    assert (line.take(15), line.total, line.age(5)) == (5, 0, 0)


def test_how_long_orders_took_is_read_from_when_they_came_and_went() -> None:
    def second(placed: float, settled: float) -> Second:
        return Second({}, {}, 0.0, placed, settled)

    run = [second(10, 0), second(0, 5), second(0, 0), second(0, 5)]

    assert (waited(run, 0.5), waited(run, 0.95)) == (1, 3)


@pytest.mark.parametrize("app", APPS)
def test_each_app_scales_by_its_queue_where_it_has_one_and_by_something_else(app: str) -> None:
    for platform in PLATFORMS:
        assert ("queue" in scales_on(app, platform)) == (app != "functions")
        assert set(scales_on(app, platform)) - {"queue"}
