"""What a rule's action does to a message: SET and REMOVE (learn.microsoft.com: "SQL rule action syntax")."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.servicebus.filters.errors import BadFilter, FilterFailed
from localcloud.servicebus.filters.expressions import Expression, Reader
from localcloud.servicebus.filters.facts import Facts

# What may be set of the system's properties: by their names in lower case, as AMQP names them.
SETTABLE = {
    "messageid": "message_id",
    "correlationid": "correlation_id",
    "to": "to",
    "replyto": "reply_to",
    "label": "subject",
    "subject": "subject",
    "sessionid": "group_id",
    "replytosessionid": "reply_to_group_id",
    "contenttype": "content_type",
}
MOST_STATEMENTS = 32


@dataclass(slots=True)
class Changes:
    """One that is None is removed."""

    user: dict[str, Any] = field(default_factory=dict)
    system: dict[str, str | None] = field(default_factory=dict)  # by AMQP's names


Statement = Callable[[Facts, Changes], None]


def read_action(text: str, parameters: Mapping[str, Any]) -> Callable[[Facts], Changes]:
    """Raises BadFilter; what it returns, FilterFailed."""
    reader, statements = Reader(text, parameters), list[Statement]()
    while reader.peek.kind != "end":
        statements.append(_statement(reader))
        if not reader.has_sign(";"):
            reader.has_sign(",")
        if len(statements) > MOST_STATEMENTS:
            raise BadFilter(f"more than {MOST_STATEMENTS} statements")

    def apply(facts: Facts) -> Changes:
        changes = Changes()
        for statement in statements:
            statement(facts, changes)
        return changes

    return apply


def _statement(reader: Reader) -> Statement:
    if reader.word("REMOVE"):
        return _assign(*reader.property(), lambda _: None)
    reader.expect("SET")
    scope, name = reader.property()
    reader.sign("=")
    return _assign(scope, name, reader.expression())


def _assign(scope: str, name: str, expression: Expression) -> Statement:
    if scope == "user":

        def set_user(facts: Facts, changes: Changes) -> None:
            changes.user[name] = _bounded(expression(facts))

        return set_user
    if (known := SETTABLE.get(name.lower())) is None:
        raise BadFilter(f"sys.{name} cannot be set")

    def set_system(facts: Facts, changes: Changes) -> None:
        value = expression(facts)
        changes.system[known] = None if value is None else str(value)

    return set_system


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
        raise FilterFailed("a number of more than 64 bits")
    return value
