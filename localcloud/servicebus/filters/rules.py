"""A rule, read once: does it want a message, and what does it change?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from localcloud.servicebus.filters.actions import SETTABLE, Changes, read_action
from localcloud.servicebus.filters.errors import BadFilter
from localcloud.servicebus.filters.expressions import Reader
from localcloud.servicebus.filters.facts import Facts, plain
from localcloud.servicebus.filters.values import equal, truth
from localcloud.topology import Rule, Scalar

FAR: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Compiled:
    wants: Callable[[Facts], bool]  # raises FilterFailed
    act: Callable[[Facts], Changes] | None


def compile_rule(rule: Rule) -> Compiled:
    """Raises BadFilter."""
    if not all(map(_can_be_kept, (*rule.properties.values(), *rule.parameters.values()))):
        raise BadFilter("a number that is infinite, none at all, or beyond 64 bits")
    act = read_action(rule.action, rule.parameters) if rule.action else None
    if rule.correlation is not None or (rule.properties and rule.sql is None):
        return Compiled(_correlation(rule.correlation or {}, rule.properties), act)
    return Compiled(_everything if rule.sql is None else _sql(rule.sql, rule.parameters), act)


def _can_be_kept(value: Scalar) -> bool:
    """As JSON, which has to be read again at the next start."""
    return isinstance(value, str) or (isfinite(value) and abs(value) < FAR)


def _everything(_: Facts) -> bool:
    return True


def _sql(text: str, parameters: Mapping[str, Any]) -> Callable[[Facts], bool]:
    reader = Reader(text, parameters)
    condition = reader.condition()
    reader.end()
    return lambda facts: truth(condition(facts)) is True


def _correlation(system: Mapping[str, str], user: Mapping[str, Any]) -> Callable[[Facts], bool]:
    """All of it must be equal."""
    if unknown := [name for name in system if name.lower() not in SETTABLE]:
        raise BadFilter(f"no property that a correlation filter compares: {unknown[0]}")

    def fits(facts: Facts) -> bool:
        return all(equal(facts.of_system(name), value) for name, value in system.items()) and all(
            equal(facts.of_user(name), plain(value)) for name, value in user.items()
        )

    return fits
