"""Which events a subscription wants: by type, by subject and by what they say ("Understand event filtering").

All filters must let an event pass. What is missing, or of another kind than the operator compares, passes those that
say "not", and no others. Text is compared without regard to case.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from localcloud.subscription import Filter, Subscription

MISSING: Final = object()

Test = Callable[[Any, Any], bool]  # what the event says, what the filter says

PLAIN: Final[Mapping[str, Test]] = {
    "NumberIn": lambda said, asked: said == asked,
    "NumberLessThan": lambda said, asked: said < asked,
    "NumberGreaterThan": lambda said, asked: said > asked,
    "NumberLessThanOrEquals": lambda said, asked: said <= asked,
    "NumberGreaterThanOrEquals": lambda said, asked: said >= asked,
    "NumberInRange": lambda said, asked: asked[0] <= said <= asked[1],
    "BoolEquals": lambda said, asked: said is asked,
    "StringIn": lambda said, asked: said == asked,
    "StringContains": lambda said, asked: asked in said,
    "StringBeginsWith": lambda said, asked: said.startswith(asked),
    "StringEndsWith": lambda said, asked: said.endswith(asked),
}
NEGATED: Final = {
    "NumberNotIn": "NumberIn",
    "NumberNotInRange": "NumberInRange",
    "StringNotIn": "StringIn",
    "StringNotContains": "StringContains",
    "StringNotBeginsWith": "StringBeginsWith",
    "StringNotEndsWith": "StringEndsWith",
}


def wants(by: Subscription, kind: str, subject: str) -> bool:
    """As far as type and subject tell."""
    if by.types and kind not in by.types:
        return False
    begins, ends = by.subject_begins_with, by.subject_ends_with
    if not by.subject_case_sensitive and (begins or ends):
        subject, begins, ends = subject.lower(), begins.lower(), ends.lower()
    return subject.startswith(begins) and subject.endswith(ends)


def passes(event: Mapping[str, Any], filters: Sequence[Filter], *, arrays: bool) -> bool:
    """`event` is the whole of it as published; with `arrays`, one element is enough for an operator, or too much."""
    return all(_passes(find(event, each.key), each, arrays) for each in filters)


def find(event: Mapping[str, Any], path: str) -> Any:
    """What stands at data.address.city, or MISSING. A name is found in another case, too: `Subject`, `Data.Key`."""
    found: Any = event
    for name in path.split("."):
        if not isinstance(found, dict):
            return MISSING
        found = found[name] if name in found else _in_another_case(found, name)
    return found


def _in_another_case(known: Mapping[str, Any], name: str) -> Any:
    return next((value for each, value in known.items() if each.lower() == name.lower()), MISSING)


def _passes(said: Any, by: Filter, arrays: bool) -> bool:
    match by.operator:
        case "IsNullOrUndefined":
            return said is MISSING or said is None
        case "IsNotNull":
            return said is not MISSING and said is not None
    values = said if isinstance(said, list) and arrays else [said]
    if plain := NEGATED.get(by.operator):
        return not _any(values, by, PLAIN[plain])
    return _any(values, by, PLAIN[by.operator])


def _any(said: Sequence[Any], by: Filter, test: Test) -> bool:
    known = [value for value in map(_folded, said) if _comparable(value, by.operator)]
    asked = [_folded(each) for each in by.asked()]
    return any(test(value, each) for value in known for each in asked)


def _comparable(value: Any, operator: str) -> bool:
    if operator == "BoolEquals":
        return isinstance(value, bool)
    if operator.startswith("Number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
