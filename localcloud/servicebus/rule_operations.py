"""The operations on rules of `<subscription>/$management`: who may listen may change them, as in Azure."""

from typing import Any, Final

from localcloud.servicebus.admin.requests import below
from localcloud.servicebus.admin.rules import FALSE
from localcloud.servicebus.claims import LISTEN
from localcloud.servicebus.encoding import Described, Timestamp, ULong
from localcloud.servicebus.errors import BadArgument
from localcloud.servicebus.management import Body, Operation, then
from localcloud.servicebus.nodes import Answer, Reply, argument
from localcloud.servicebus.rulebook import Rulebook
from localcloud.topology import Rule, Scalar

DESCRIPTION, NO_ACTION, SQL_ACTION = ULong(0x13700000004), ULong(0x13700000005), ULong(0x13700000006)
SQL, TRUE, NEVER, CORRELATED = (ULong(0x1370000000 | code) for code in (6, 7, 8, 9))
KEYS: Final = {  # as requests name what is correlated, in the order in which answers have it
    "correlation-id": "CorrelationId",
    "message-id": "MessageId",
    "to": "To",
    "reply-to": "ReplyTo",
    "label": "Label",
    "session-id": "SessionId",
    "reply-to-session-id": "ReplyToSessionId",
    "content-type": "ContentType",
}


def operations(rulebook: Rulebook) -> dict[str, Operation]:
    return {
        "add-rule": Operation(LISTEN, lambda _, body, reply: _add(rulebook, body, reply)),
        "remove-rule": Operation(LISTEN, lambda _, body, reply: _remove(rulebook, body, reply)),
        "enumerate-rules": Operation(LISTEN, lambda _, body, reply: _list(rulebook, body, reply)),
    }


def _add(rulebook: Rulebook, body: Body, reply: Reply) -> None:
    name = below(argument(body, "rule-name", str))
    then(rulebook.add(name, _rule(argument(body, "rule-description", dict))), reply, {})


def _remove(rulebook: Rulebook, body: Body, reply: Reply) -> None:
    then(rulebook.remove(argument(body, "rule-name", str)), reply, {})


def _list(rulebook: Rulebook, body: Body, reply: Reply) -> None:
    skip, top = max(argument(body, "skip", int), 0), max(argument(body, "top", int), 0)
    created, page = rulebook.subscription.created, list(rulebook.rules.items())[skip : skip + top]
    rules = [{"rule-description": _described(name, rule, created)} for name, rule in page]
    reply(Answer(body={"rules": rules}) if rules else Answer(204, "No Content"))


def _rule(said: Body) -> Rule:
    """Raises BadArgument."""
    sql, correlated = said.get("sql-filter"), said.get("correlation-filter")
    if (sql is None) == (correlated is None):
        raise BadArgument("a sql-filter or a correlation-filter, and not both")
    action = said.get("sql-rule-action")
    acts = argument(argument(said, "sql-rule-action", dict), "expression", str) if action is not None else None
    if sql is not None:
        return Rule(sql=argument(argument(said, "sql-filter", dict), "expression", str), action=acts)
    asked = argument(said, "correlation-filter", dict)
    correlation = {KEYS[key]: argument(asked, key, str) for key in KEYS if asked.get(key) is not None}
    properties = argument(asked, "properties", dict) if asked.get("properties") is not None else {}
    return Rule(correlation=correlation, properties=dict(map(_property, properties.items())), action=acts)


def _property(pair: tuple[Any, Any]) -> tuple[str, Scalar]:
    name, value = pair
    if not isinstance(name, str) or not isinstance(value, str | int | float):
        raise BadArgument(f"properties: {str(name)[:40]} is neither text nor a number nor a truth")
    if isinstance(value, bool | float):
        return str(name), value
    return str(name), int(value) if isinstance(value, int) else str(value)


def _described(name: str, rule: Rule, created: int) -> Described:
    action = Described(SQL_ACTION, [rule.action]) if rule.action else Described(NO_ACTION, [])
    return Described(DESCRIPTION, [_filter(rule), action, name, Timestamp(created)])


def _filter(rule: Rule) -> Described:
    if rule.correlation is not None:
        values = [rule.correlation.get(key) for key in KEYS.values()]
        return Described(CORRELATED, [*values, dict(rule.properties)])
    if rule.sql is None or rule.sql == FALSE:
        return Described(TRUE if rule.sql is None else NEVER, [])
    return Described(SQL, [rule.sql])
