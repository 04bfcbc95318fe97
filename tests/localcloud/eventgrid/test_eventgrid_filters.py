"""The operators of "Understand event filtering", each with what it lets pass; and whatever comes is decided."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json as wire

from localcloud.eventgrid.filters import find, passes, wants
from localcloud.subscription import Destination, Filter, Operator, Subscription

EVENT: dict[str, Any] = {
    "id": "e-1",
    "source": "/shop",
    "type": "order.placed",
    "subject": "Orders/7",
    "traceparent": "00-1",
    "data": {
        "total": 12.5,
        "count": 3,
        "paid": True,
        "city": "Köln",
        "nothing": None,
        "tags": ["Tea", "green"],
        "sizes": [1, 5],
        "address": {"zip": "50667"},
    },
}
NEGATED = (
    "NumberNotIn",
    "NumberNotInRange",
    "StringNotIn",
    "StringNotContains",
    "StringNotBeginsWith",
    "StringNotEndsWith",
)
ALL: tuple[str, ...] = Operator.__args__  # type: ignore[attr-defined]


def read(operator: str, key: str, asked: Any = None) -> Filter:
    said = {"operator": operator, "key": key} | ({} if asked is None else {_place(operator): asked})
    return msgspec.convert(said, Filter)


def _place(operator: str) -> str:
    return "value" if operator == "BoolEquals" or "Less" in operator or "Greater" in operator else "values"


def passed(operator: str, key: str, asked: Any = None, *, arrays: bool = False) -> bool:
    return passes(EVENT, [read(operator, key, asked)], arrays=arrays)


@pytest.mark.parametrize(
    ("operator", "key", "good", "bad"),
    [
        ("NumberIn", "data.count", [1, 3], [1, 2]),
        ("NumberNotIn", "data.count", [1, 2], [1, 3]),
        ("NumberLessThan", "data.total", 12.6, 12.5),
        ("NumberGreaterThan", "data.total", 12.4, 12.5),
        ("NumberLessThanOrEquals", "data.total", 12.5, 12.4),
        ("NumberGreaterThanOrEquals", "data.total", 12.5, 12.6),
        ("NumberInRange", "data.count", [[7, 9], [3, 4]], [[4, 5]]),
        ("NumberNotInRange", "data.count", [[4, 5]], [[7, 9], [3, 4]]),
        ("BoolEquals", "data.paid", True, False),
        ("StringIn", "data.city", ["bonn", "KÖLN"], ["bonn"]),
        ("StringNotIn", "data.city", ["bonn"], ["bonn", "köln"]),
        ("StringContains", "subject", ["x", "ERS/"], ["x"]),
        ("StringNotContains", "subject", ["x"], ["x", "ers"]),
        ("StringBeginsWith", "type", ["ORDER."], ["placed"]),
        ("StringNotBeginsWith", "type", ["placed"], ["order"]),
        ("StringEndsWith", "source", ["SHOP"], ["/s"]),
        ("StringNotEndsWith", "source", ["/s"], ["p"]),
    ],
)
def test_each_operator_lets_pass_what_it_says(operator: str, key: str, good: Any, bad: Any) -> None:
    assert passed(operator, key, good)
    assert not passed(operator, key, bad)


@pytest.mark.parametrize(("key", "null"), [("data.nothing", True), ("data.no.such", True), ("data.city", False)])
def test_null_and_missing_are_one(key: str, null: bool) -> None:
    assert passed("IsNullOrUndefined", key) is null
    assert passed("IsNotNull", key) is not null


@pytest.mark.parametrize("operator", [each for each in ALL if not each.startswith("Is")])
@pytest.mark.parametrize("key", ["data.absent", "data.nothing", "data.address", "data.address.zip.x"])
def test_what_is_missing_passes_those_that_say_not_and_no_others(operator: str, key: str) -> None:
    asked = [[1, 2]] if "Range" in operator else ["x"] if operator.startswith("String") else [1]
    one: Any = True if operator == "BoolEquals" else 1
    passing = passed(operator, key, asked if _place(operator) == "values" else one)

    assert passing is (operator in NEGATED)


@pytest.mark.parametrize(
    ("operator", "asked", "off", "on"),
    [
        ("StringIn", ["tea"], False, True),
        ("StringContains", ["GREE"], False, True),
        ("StringNotIn", ["tea"], True, False),
        ("StringNotContains", ["coffee"], True, True),
        ("StringNotBeginsWith", ["gr"], True, False),
    ],
)
def test_a_list_is_looked_into_where_that_is_wanted(operator: str, asked: Any, off: bool, on: bool) -> None:
    assert passed(operator, "data.tags", asked) is off
    assert passed(operator, "data.tags", asked, arrays=True) is on


def test_numbers_in_a_list_are_compared_each() -> None:
    assert passed("NumberGreaterThan", "data.sizes", 4, arrays=True)
    assert not passed("NumberNotInRange", "data.sizes", [[4, 6]], arrays=True)
    assert not passed("NumberGreaterThan", "data.tags", 0, arrays=True)


def test_a_number_is_no_truth_and_no_text() -> None:
    event = {"data": {"yes": True, "one": 1, "text": "1"}}

    assert not passes(event, [read("NumberIn", "data.yes", [1])], arrays=False)
    assert not passes(event, [read("BoolEquals", "data.one", True)], arrays=False)
    assert not passes(event, [read("NumberIn", "data.text", [1])], arrays=False)


def test_all_filters_must_let_it_pass() -> None:
    good, bad = read("NumberIn", "data.count", [3]), read("NumberIn", "data.count", [4])

    assert passes(EVENT, [good, good], arrays=False)
    assert not passes(EVENT, [good, bad], arrays=False)
    assert passes(EVENT, [], arrays=False)


def test_a_key_leads_into_the_data_whatever_its_case() -> None:
    assert find(EVENT, "Data.Address.ZIP") == "50667"
    assert find(EVENT, "traceparent") == "00-1"
    assert find({"a": 1, "A": 2}, "A") == 2


def subscription(**said: Any) -> Subscription:
    return Subscription(name="one", topic="t", to=Destination(queue="q"), **said)


@pytest.mark.parametrize(
    ("said", "kind", "subject", "expected"),
    [
        ({}, "any", "", True),
        ({"types": ["a", "b"]}, "b", "", True),
        ({"types": ["a"]}, "b", "", False),
        ({"subject_begins_with": "/A", "subject_ends_with": ".PNG"}, "any", "/a/b.png", True),
        ({"subject_begins_with": "/a", "subject_ends_with": ".png"}, "any", "/a/b.gif", False),
        ({"subject_begins_with": "/A", "subject_case_sensitive": True}, "any", "/a", False),
        ({"subject_ends_with": "A", "subject_case_sensitive": True}, "any", "/A", True),
    ],
)
def test_types_and_subjects(said: dict[str, Any], kind: str, subject: str, expected: bool) -> None:
    assert wants(subscription(**said), kind, subject) is expected


@pytest.mark.parametrize(
    "said",
    [
        {"operator": "NumberIn", "key": "a", "values": ["1"]},
        {"operator": "NumberIn", "key": "a", "values": []},
        {"operator": "NumberIn", "key": "a", "value": 1},
        {"operator": "NumberIn", "key": "a", "values": [True]},
        {"operator": "NumberInRange", "key": "a", "values": [[2, 1]]},
        {"operator": "NumberInRange", "key": "a", "values": [[1, 2, 3]]},
        {"operator": "NumberLessThan", "key": "a", "value": "1"},
        {"operator": "BoolEquals", "key": "a", "value": 1},
        {"operator": "StringIn", "key": "a", "values": ["x" * 513]},
        {"operator": "IsNotNull", "key": "a", "value": True},
        {"operator": "Matches", "key": "a"},
        {"operator": "IsNotNull", "key": ""},
    ],
)
def test_a_filter_that_azure_would_refuse_is_refused_with_its_place(said: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\[0\]"):
        msgspec.convert([said], list[Filter])


@pytest.mark.parametrize(
    ("filters", "good"),
    [
        ([{"operator": "IsNotNull", "key": "a"}] * 25, True),
        ([{"operator": "IsNotNull", "key": "a"}] * 26, False),
        ([{"operator": "NumberIn", "key": "a", "values": list(range(25))}], True),
        ([{"operator": "NumberIn", "key": "a", "values": list(range(13))}] * 2, False),
    ],
)
def test_there_are_twenty_five_filters_and_values_at_most(filters: list[Any], good: bool) -> None:
    said = {"name": "one", "topic": "t", "to": {"queue": "q"}, "filters": filters}

    try:
        msgspec.convert(said, Subscription)
    except msgspec.ValidationError:
        assert not good
    else:
        assert good


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
things = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
events = st.dictionaries(st.sampled_from(["id", "data", "Data", "a"]), things)
keys = st.lists(st.sampled_from(["data", "a", "", "b"]), min_size=1, max_size=4).map(".".join).filter(bool)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    operator, key = draw(st.sampled_from(ALL)), draw(keys)
    numbers = st.integers(-5, 5) | st.floats(allow_nan=False)
    if operator.startswith("Is"):
        return read(operator, key)
    if operator == "BoolEquals":
        return read(operator, key, draw(st.booleans()))
    if operator.startswith("String"):
        return read(operator, key, draw(st.lists(st.text(max_size=3), min_size=1, max_size=3)))
    if "Range" in operator:
        return read(operator, key, [sorted(draw(st.tuples(numbers, numbers)))])
    return read(operator, key, draw(numbers) if _place(operator) == "value" else [draw(numbers)])


@given(events, filters(), st.booleans())
def test_whatever_an_event_says_is_decided_and_not_is_the_opposite(event: Any, by: Filter, arrays: bool) -> None:
    decided = passes(event, [by], arrays=arrays)

    if by.operator in NEGATED:
        plain = msgspec.structs.replace(by, operator=by.operator.replace("Not", ""))
        assert decided is not passes(event, [plain], arrays=arrays)


@given(st.dictionaries(st.sampled_from(["operator", "key", "value", "values"]), things), st.sampled_from(ALL))
def test_whatever_a_filter_says_is_read_or_refused(said: dict[str, Any], operator: str) -> None:
    for each in (said, said | {"operator": operator, "key": "data.a"}):
        try:
            by = wire.decode(json.dumps(each, allow_nan=False), type=Filter)
        except (msgspec.DecodeError, ValueError):
            continue
        passes({"data": {"a": 1}}, [by], arrays=True)
