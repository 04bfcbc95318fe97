"""What is decided on the number of replicas follows KEDA's and Kubernetes' rules; the shipped rules can be read."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import scaling
from deploy.scaling import DOWN_WINDOW_SECONDS, Look, NotModelled, Rule, decide, pause, remembered, shipped

pytestmark = pytest.mark.deploy

SERVICES = ("catalog", "orders", "customers")
SHIPPED = Rule(messages=50, least=1, most=10)
ASLEEP = Rule(messages=50, least=0, most=10)

rules = st.builds(
    Rule,
    messages=st.integers(1, 500).map(float),
    activation=st.integers(0, 100).map(float),
    least=st.integers(0, 3),
    most=st.integers(3, 40),
    cooldown_seconds=st.sampled_from([0.0, 60.0, 300.0, 900.0]),
)
backlogs = st.integers(0, 5000).map(float)


def lived(rule: Rule, seen: Sequence[float]) -> list[Look]:
    """Its life so far, where the backlogs were these; the last look is the one that comes next."""
    history: list[Look] = []
    at, replicas = 0.0, max(rule.least, 1)
    for backlog in seen:
        history.append(Look(at, backlog, replicas))
        replicas = decide(rule, backlog, replicas, history[:-1], at)
        at += pause(rule, replicas)
    return [*history, Look(at, 0, replicas)]


# --- worked out by hand -----------------------------------------------------------------------------------------------

EMPTY_LATELY = [Look(0, 0, 1)]
TABLE = [
    # rule, backlog, replicas, history, at -> replicas
    pytest.param(SHIPPED, 0, 1, EMPTY_LATELY, 15, 1, id="the least is kept"),
    pytest.param(SHIPPED, 50, 1, EMPTY_LATELY, 15, 1, id="just what one is for"),
    pytest.param(SHIPPED, 55, 1, EMPTY_LATELY, 15, 1, id="ten percent more is tolerated"),
    pytest.param(SHIPPED, 56, 1, EMPTY_LATELY, 15, 2, id="beyond that it is rounded up"),
    pytest.param(SHIPPED, 200, 1, EMPTY_LATELY, 15, 4, id="a replica for each fifty"),
    pytest.param(SHIPPED, 5000, 1, EMPTY_LATELY, 15, 5, id="four more at most from one"),
    pytest.param(SHIPPED, 5000, 5, [Look(0, 5000, 1), Look(15, 5000, 5)], 30, 10, id="five become ten by doubling"),
    pytest.param(SHIPPED, 5000, 10, [], 30, 10, id="never above the most"),
    pytest.param(
        Rule(50, most=100), 5000, 10, [Look(0, 5000, 5), Look(15, 5000, 10)], 20, 20, id="15 s began with ten"
    ),
    pytest.param(Rule(50, most=100), 5000, 5, [Look(10, 5000, 1)], 20, 5, id="the period's four are used up"),
    pytest.param(SHIPPED, 0, 10, [Look(0, 500, 10)], 15, 10, id="fifteen seconds of calm are too few"),
    pytest.param(SHIPPED, 0, 10, [Look(0, 500, 10)], 299, 10, id="just within five minutes"),
    pytest.param(SHIPPED, 0, 10, [Look(0, 500, 10)], 300, 1, id="after five minutes of calm, all at once"),
    pytest.param(SHIPPED, 0, 10, [Look(0, 500, 10), Look(15, 150, 10)], 310, 3, id="as low as the highest lately"),
    pytest.param(ASLEEP, 0, 0, [], 0, 0, id="what sleeps, sleeps on"),
    pytest.param(ASLEEP, 1, 0, [], 0, 1, id="one message wakes it"),
    pytest.param(ASLEEP, 5000, 0, [], 0, 1, id="however many, with one"),
    pytest.param(Rule(50, activation=5), 5, 0, [], 0, 0, id="activation is strict"),
    pytest.param(Rule(50, activation=5), 6, 0, [], 0, 1, id="one above activation"),
    pytest.param(Rule(10, activation=50), 40, 4, [Look(0, 60, 4)], 301, 0, id="activation goes before the target"),
    pytest.param(ASLEEP, 0, 1, [Look(0, 1, 1)], 300, 1, id="the cooldown is not over"),
    pytest.param(ASLEEP, 0, 1, [Look(0, 1, 1)], 301, 0, id="the cooldown is over"),
    pytest.param(ASLEEP, 0, 1, [], 0, 0, id="never active"),
    pytest.param(SHIPPED, 0, 1, [Look(0, 1, 1)], 9999, 1, id="no cooldown where the least is one"),
]


@pytest.mark.parametrize(("rule", "backlog", "replicas", "history", "at", "expected"), TABLE)
def test_the_examples_worked_out_by_hand_come_out(
    rule: Rule, backlog: float, replicas: int, history: list[Look], at: float, expected: int
) -> None:
    assert decide(rule, backlog, replicas, history, at) == expected


FAULTS = [
    # what somebody might get wrong -> how it would read
    ("activation is not strict", "backlog > rule.activation  #", "backlog >= rule.activation  #"),
    ("the target is rounded down", "math.ceil(backlog", "math.floor(backlog"),
    ("no tolerance", "TOLERANCE = 0.1", "TOLERANCE = 0.0"),
    ("more tolerance", "TOLERANCE = 0.1", "TOLERANCE = 0.2"),
    ("three pods up", "UP_PODS = 4", "UP_PODS = 3"),
    ("no doubling", "UP_SHARE = 1.0", "UP_SHARE = 0.5"),
    ("up at once", "min(wanted, _highest(replicas, history, at))", "wanted"),
    ("a longer period up", "UP_PERIOD_SECONDS = 15.0", "UP_PERIOD_SECONDS = 30.0"),
    ("a shorter window down", "DOWN_WINDOW_SECONDS = 300.0", "DOWN_WINDOW_SECONDS = 299.0"),
    ("a longer window down", "DOWN_WINDOW_SECONDS = 300.0", "DOWN_WINDOW_SECONDS = 301.0"),
    ("down at once", "max(wanted, *lately, 0)", "wanted"),
    ("the least is forgotten", "max(rule.least, 1, min(", "max(0, min("),
    ("the most is forgotten", "min(replicas, rule.most)", "replicas"),
    ("woken with all it wants", "return _within(rule, 1)", "return _within(rule, _wanted(rule, backlog, 0))"),
    ("asleep at once", "or _cool(rule, history, at)", "or True"),
    ("never asleep", "or _cool(rule, history, at)", "or False"),
    ("the target goes before activation", "if not active and (", "if not active and not backlog and ("),
    ("asleep where the least is one", "if rule.least == 0:", "if True:"),
    ("the cooldown ends a moment early", "at - rule.cooldown_seconds)", "at - rule.cooldown_seconds + 1)"),
    ("the cooldown ends a moment late", "at - rule.cooldown_seconds)", "at - rule.cooldown_seconds - 1)"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_the_examples_see_what_is_wrong(name: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(scaling.__file__).read_text()
    assert source.count(right) == 1
    faulty = ModuleType("faulty")
    faulty.__file__ = scaling.__file__
    monkeypatch.setitem(sys.modules, "faulty", faulty)

    exec(source.replace(right, wrong), faulty.__dict__)

    examples = [(each.values[:5], each.values[5]) for each in TABLE]
    assert any(faulty.decide(*given) != expected for given, expected in examples)


def test_a_burst_is_met_by_one_five_ten_and_left_after_five_minutes() -> None:
    looks = lived(SHIPPED, [5000] * 3 + [0] * 21)

    assert [look.replicas for look in looks][:5] == [1, 5, 10, 10, 10]
    assert [look.at for look in looks if look.replicas == 1] == [
        0,
        345,
        360,
    ]  # calm from 45 on; the last load was at 30


# --- properties -------------------------------------------------------------------------------------------------------


@given(rules, st.lists(backlogs, max_size=60))
def test_it_is_never_below_the_least_or_above_the_most(rule: Rule, seen: list[float]) -> None:
    assert all(rule.least <= look.replicas <= rule.most for look in lived(rule, seen))


@given(rules, st.lists(backlogs, max_size=40), backlogs, backlogs)
def test_more_waiting_never_means_fewer_replicas(rule: Rule, seen: list[float], one: float, other: float) -> None:
    *history, now = lived(rule, seen)
    few, many = sorted((one, other))

    assert decide(rule, few, now.replicas, history, now.at) <= decide(rule, many, now.replicas, history, now.at)


@given(rules, st.lists(backlogs, max_size=30), backlogs)
def test_under_a_constant_load_it_settles_and_does_not_flap(rule: Rule, before: list[float], load: float) -> None:
    looks = lived(rule, [*before, *[load] * 200])
    late = [look.replicas for look in looks if look.at > looks[len(before)].at + 1500]
    while_it_lasts = [look.replicas for look in looks[len(before) + 21 :]]  # five minutes on: no memory of before

    assert len(set(late)) == 1
    assert while_it_lasts in (sorted(while_it_lasts), sorted(while_it_lasts, reverse=True))


@given(rules, st.lists(backlogs, max_size=30))
def test_what_may_sleep_sleeps_after_the_cooldown_and_not_before(rule: Rule, before: list[float]) -> None:
    rule = Rule(rule.messages, rule.activation, 0, rule.most, cooldown_seconds=rule.cooldown_seconds)
    looks = lived(rule, [*before, rule.activation + 1, *[0.0] * 90])
    active = looks[len(before)].at
    calm = looks[len(before) + 1 :]

    assert all(look.replicas >= 1 for look in calm if look.at - active <= rule.cooldown_seconds)
    assert all(look.replicas == 0 for look in calm if look.at - active > rule.cooldown_seconds + 2 * 30)


@given(rules, st.lists(backlogs, max_size=80), backlogs)
def test_nothing_that_matters_is_forgotten(rule: Rule, seen: list[float], backlog: float) -> None:
    *history, now = lived(rule, seen)
    kept = remembered(rule, history, now.at)

    assert decide(rule, backlog, now.replicas, kept, now.at) == decide(rule, backlog, now.replicas, history, now.at)
    assert len(kept) <= (max(DOWN_WINDOW_SECONDS, rule.cooldown_seconds) + 15) / 15 + 1


# --- the documents ----------------------------------------------------------------------------------------------------


def scaled_object(**spec: Any) -> dict[str, Any]:
    told = {"queueName": "catalog", "messageCount": "50", "activationMessageCount": "0"}
    triggers = [{"type": "cpu", "metadata": {"value": "70"}}, {"type": "azure-servicebus", "metadata": told}]
    return {"metadata": {"name": "catalog"}, "spec": {"triggers": triggers, **spec}}


def test_a_document_is_read_with_kedas_defaults_where_it_is_silent() -> None:
    silent = scaled_object()
    del silent["spec"]["triggers"][1]["metadata"]["messageCount"]

    assert Rule.of_queue(scaled_object()) == Rule(50.0, 0.0, 0, 100, 30.0, 300.0)
    assert Rule.of_queue(silent).messages == 5
    assert Rule.of_queue(
        scaled_object(minReplicaCount=1, maxReplicaCount=10, pollingInterval=5, cooldownPeriod=60)
    ) == Rule(50.0, 0.0, 1, 10, 5, 60)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("a behavior of its own", {"advanced": {"horizontalPodAutoscalerConfig": {}}}),
        ("an idle count", {"idleReplicaCount": 0}),
        ("an initial cooldown", {"initialCooldownPeriod": 60}),
        ("no queue", {"triggers": [{"type": "cpu", "metadata": {}}]}),
    ],
)
def test_a_document_that_asks_for_more_than_is_known_here_is_refused(name: str, spec: dict[str, Any]) -> None:
    with pytest.raises(NotModelled, match="catalog"):
        Rule.of_queue(scaled_object(**spec))


@pytest.mark.parametrize("service", SERVICES)
def test_the_shipped_rule_of_each_service_is_on_its_own_queue_and_keeps_one_to_ten(service: str) -> None:
    told = shipped(service)
    queues = [each["metadata"]["queueName"] for each in told["spec"]["triggers"] if each["type"] == "azure-servicebus"]

    assert queues == [service]
    assert Rule.of_queue(told) == Rule(50.0, 0.0, 1, 10, 30.0, 300.0)


@pytest.mark.parametrize("deployable", [*SERVICES, "functions", "gateway"])
def test_each_deployable_scales_on_its_requests_too(deployable: str) -> None:
    rule = Rule.of_requests(shipped(deployable))

    assert (rule.least, rule.most) == (1, 10)
    assert 10 <= rule.messages <= 500
