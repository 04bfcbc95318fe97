"""What is simulated adds up, and docs/scaling.md says what the figures beside it give."""

import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bench.orders import Phase
from deploy.figures import DOCS, STEPS, Figures, measured
from deploy.limits import MILLION_AN_HOUR, Limit, limits
from deploy.simulate import DAY, SCENARIOS, Bill, Runs, figure_table, limit_table, scenario_table, simulated, told
from deploy.simulation import APPS, PLATFORMS, WAY, Line, Scaler, Second, Simulation, scales_on, waited

pytestmark = pytest.mark.deploy

FIGURES = Figures.read()
NUMBERS = FIGURES.numbers()
PRICES = told("prices")
LIMITS = limits(told("limits"), NUMBERS)


def whole(app: str) -> float:
    """What was measured for an order."""
    return float(msgspec.json.decode((DOCS / "scaling.json").read_bytes())["cpu_ms"]["whole"][app])


@pytest.fixture(scope="module")
def runs() -> Runs:
    return simulated([each for each in SCENARIOS if each.seconds < DAY], NUMBERS)


def test_every_order_that_came_before_the_calm_is_settled(runs: Runs) -> None:
    for run in runs["a million an hour, for two hours"].values():
        assert sum(second.settled for second in run) == pytest.approx(sum(second.placed for second in run))


def test_replicas_are_never_fewer_or_more_than_the_shipped_rules_allow(runs: Runs) -> None:
    seen = {
        count
        for found in runs.values()
        for run in found.values()
        for second in run
        for count in second.replicas.values()
    }

    assert (min(seen), max(seen)) == (1, 10)


def test_after_the_burst_there_is_one_of_each_again(runs: Runs) -> None:
    for run in runs["burst: 3,000 in a minute"].values():
        assert max(sum(second.replicas.values()) for second in run) > len(APPS)
        assert set(run[-1].replicas.values()) == {1}


def test_the_page_says_what_the_figures_give(runs: Runs) -> None:
    page = (DOCS / "scaling.md").read_text()
    rows = scenario_table(runs, Bill(PRICES, NUMBERS)).splitlines()

    assert [row for row in rows if row not in page] == []
    assert limit_table(LIMITS) in page
    assert FIGURES.made in page
    assert figure_table(FIGURES) in page


def test_the_page_s_prose_says_what_its_tables_say(runs: Runs) -> None:
    page = " ".join((DOCS / "scaling.md").read_text().split())
    standard, grid = limit("Service Bus Standard, a namespace"), limit("Event Grid, the topic of orders")
    account, partition = (
        limit(f"Table Storage, {each}") for each in ("an account for all services", "a partition of orders")
    )
    half = {waited(run, 0.5) for run in runs["steady: 5 a second"].values()}

    said = [
        f"{standard.most:,.0f} credits a second, and an order takes {standard.an_order:g}: "
        f"{3600 * standard.orders():,.0f} orders an hour",
        f"Two vCores do {limit('PostgreSQL, 2 vCores for all services').orders():,.0f} orders a second",
        f"An account does {account.most:,.0f} transactions a second",
        f"A partition does {partition.most:,.0f} entities a second",
        f"{grid.most:,.0f} events a second for a topic, of which an order needs {grid.an_order:g} on",
        f"half of the orders are settled in {max(half):g} s",
        f"Half a core does about {round(calls_of_functions(), -1):.0f} calls of functions in a second",
    ]
    assert [each for each in said if each not in page] == []
    assert limit("Service Bus Premium, one unit").orders() > MILLION_AN_HOUR  # "one unit is enough here"


def calls_of_functions() -> float:
    """That one of ten replicas does in a second."""
    a_tenth = limit("functions, 10 replicas of 0.5 cores").orders() / 10
    return a_tenth * sum(work.app == "functions" for work in WAY.values())


@pytest.mark.parametrize(("at_once", "waits_long"), [(50, False), (200, True)])
def test_a_request_rule_that_does_not_fit_the_work_lets_it_wait(at_once: float, waits_long: bool) -> None:
    dearer = {name: value * 1.2 if name.startswith("cpu_ms") else value for name, value in NUMBERS.items()}
    simulation = Simulation.on("Container Apps", SCENARIOS[-1].rate, dearer)
    functions = simulation.apps["functions"]
    fitting = functions.scalers["requests"].rule
    functions.scalers = {"requests": Scaler(replace(fitting, messages=at_once))}

    oldest = max(second.age for second in simulation.run(SCENARIOS[-1].seconds))

    assert (oldest > 3600) == waits_long


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
def test_each_price_counts(runs: Runs, of: str, price: str) -> None:
    dearer = deepcopy(PRICES)
    dearer[of][price] *= 2
    run = runs["steady: 5 a second"]["Container Apps"]

    assert Bill(dearer, NUMBERS).of(run) > Bill(PRICES, NUMBERS).of(run)


def test_an_hour_of_rest_is_billed_as_worked_out_by_hand(runs: Runs) -> None:
    run = runs["rest"]["Container Apps"]
    vcpu_seconds, gib_seconds = 3600 * (3 * 0.25 + 0.5), 3600 * (3 * 0.5 + 1)
    bus = PRICES["service_bus"]["base_month"] / PRICES["hours"]

    expected = vcpu_seconds * 0.000034 + gib_seconds * 0.000004 + bus
    assert Bill(PRICES, NUMBERS).of(run) == pytest.approx(expected)


def limit(part: str) -> Limit:
    return next(each for each in LIMITS if each.part == part)


@pytest.mark.parametrize(
    ("part", "orders"),
    [
        ("Service Bus Standard, a namespace", 1000 / (5 * 2)),
        ("Service Bus Premium, one unit", 4096 / (5 * 2)),
        ("Event Grid, the topic of orders", 5000 / 3),
        ("our relay of orders", 2000 / 3),
        ("Table Storage, a partition of orders", 2000 / 1.7),
        ("PostgreSQL, 2 vCores for all services", 2 * 600 / NUMBERS["cpu_ms_database"]),
        ("catalog, 10 replicas of 0.25 cores", 10 * (200 - 1000 * NUMBERS["cores_at_rest"]) / whole("catalog")),
        ("functions, 10 replicas of 0.5 cores", 10 * (400 - 1000 * NUMBERS["cores_at_rest"]) / whole("functions")),
        ("Container Apps, 100 cores of an environment", 100 * 800 / sum(map(whole, APPS))),
    ],
)
def test_how_many_orders_a_limit_allows_is_as_worked_out_by_hand(part: str, orders: float) -> None:
    assert limit(part).orders() == pytest.approx(orders, rel=0.005)


def test_what_an_order_takes_of_table_storage_is_what_the_engines_page_says() -> None:
    asked: dict[str, Any] = msgspec.json.decode((DOCS / "engines.json").read_bytes())["per_1000_orders"]["tables"]
    transactions = asked["point_reads"] + asked["queries"] + asked["transactions"]

    an_order = limit("Table Storage, an account for all services").an_order
    assert an_order == pytest.approx(transactions / 1000, abs=0.05)


def test_standard_service_bus_is_what_a_million_orders_an_hour_reach_first() -> None:
    assert LIMITS[0] is limit("Service Bus Standard, a namespace")
    assert LIMITS[0].orders() < MILLION_AN_HOUR


# --- what was measured ------------------------------------------------------------------------------------------------


def test_the_steps_of_an_order_take_together_what_was_measured_for_it() -> None:
    of_each = {app: sum(NUMBERS[work.figure] for work in WAY.values() if work.app == app) for app in APPS}

    assert of_each == pytest.approx({app: whole(app) for app in APPS}, abs=0.005)


def test_a_step_s_share_is_that_of_its_half() -> None:
    halves = {"whole": {"orders": 4.0}, "place": {"orders": 0.5}, "settle": {"orders": 1.5}}
    others = {"catalog": 1.0, "customers": 1.0, "functions": 1.0, "postgres": 5.0}
    found = {
        "cpu_ms": {name: {**others, **each} for name, each in halves.items()},
        "cores_at_rest": {"catalog": 0.01, "orders": 0.03, "customers": 0.02},
        "settled_per_second": 30,
    }

    figures = {name: figure.value for name, figure in measured(found).items()}

    assert (figures["cpu_ms_place"], figures["cpu_ms_orders_message"]) == (1.0, 1.0)  # three messages
    assert figures["cpu_ms_catalog_message"] == 0.25  # half of the whole falls on this half, and it is two messages
    assert (figures["cpu_ms_database"], figures["cores_at_rest"]) == (5.0, 0.03)


def test_what_is_spent_at_rest_is_not_an_order_s() -> None:
    rest, work = Phase(10.0, {"orders": 0.2}), Phase(20.0, {"orders": 1.4})

    assert work.of_each(100, rest) == pytest.approx({"orders": 10.0})
    assert rest.of_each(100, rest) == {"orders": 0.0}


def test_each_step_has_a_figure_and_takes_it_as_often_as_the_way_says() -> None:
    times = {name: times for name, (_, _, times) in STEPS.items()}

    assert times == {figure: sum(work.figure == figure for work in WAY.values()) for figure in times}
    assert {work.figure for work in WAY.values()} == set(times)
    assert all(math.isfinite(number) and number > 0 for number in NUMBERS.values())


# --- how it is counted ------------------------------------------------------------------------------------------------


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
