"""What topics of Service Bus must keep to: they are the topology's, with subscriptions that take what it says there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.azure_plans import KINDS, Faults, Thing, everything, topology_of

SUBSCRIPTIONS, RULES = f"{KINDS['bus-topics']}/subscriptions", f"{KINDS['bus-topics']}/subscriptions/rules"
NEVER = {"sql": "1=0"}
# A field of the topology, Azure's name for it, how it is written there, and what counts where it is not said.
QUEUE = {
    "lock_seconds": ("lockDuration", "PT{}S", 30),
    "max_delivery_count": ("maxDeliveryCount", None, 10),
    "sessions": ("requiresSession", None, False),
    "dead_letter_expired": ("deadLetteringOnMessageExpiration", None, False),
    "dead_letter_filter_errors": ("deadLetteringOnFilterEvaluationExceptions", None, True),
    "forward_to": ("forwardTo", None, None),
    "forward_dead_letters_to": ("forwardDeadLetteredMessagesTo", None, None),
}
BOTH = {
    "ttl_seconds": ("defaultMessageTimeToLive", "PT{}S", None),
    "auto_delete_seconds": ("autoDeleteOnIdle", "PT{}S", None),
    "status": ("status", None, "Active"),
}
TOPIC = {
    "duplicate_window_seconds": ("duplicateDetectionHistoryTimeWindow", "PT{}S", None),
    "max_megabytes": ("maxSizeInMegabytes", None, 1024),
}


def bus_places(told: Mapping[str, Any]) -> Iterator[str]:
    """On which somebody may have a right: topics, and subscriptions."""
    for name, topic in told.get("bus_topics", {}).items():
        yield name
        yield from (f"{name}/subscriptions/{each}" for each in topic.get("subscriptions", {}))


def topics(root: Path) -> Faults:
    told, things = topology_of(root).get("bus_topics", {}), everything(root)
    found = {kind: _made(things, kind) for kind in (KINDS["bus-topics"], SUBSCRIPTIONS, RULES)}
    wanted = {f"{name}/{sub}": of for name, topic in told.items() for sub, of in _below(topic).items()}
    rules = {f"{path}/{name}": rule for path, of in wanted.items() for name, rule in _rules(of).items()}
    for kind, expected in ((KINDS["bus-topics"], set(told)), (SUBSCRIPTIONS, set(wanted)), (RULES, set(rules))):
        if expected != set(found[kind]):
            yield f"{kind.rpartition('/')[2]}: {sorted(expected ^ set(found[kind]))} are not on both sides"
            return
    for name, topic in told.items():
        yield from _differences(f"topic {name}", found[KINDS["bus-topics"]][name], topic, TOPIC | BOTH)
        if found[KINDS["bus-topics"]][name]["requiresDuplicateDetection"] != ("duplicate_window_seconds" in topic):
            yield f"topic {name}: requiresDuplicateDetection is otherwise"
    for path, of in wanted.items():
        yield from _differences(f"subscription {path}", found[SUBSCRIPTIONS][path], of, QUEUE | BOTH)
    for path, rule in rules.items():
        yield from _rule(f"rule {path}", found[RULES][path], rule)


def _made(things: list[Thing], kind: str) -> dict[str, Mapping[str, Any]]:
    """By their names below the namespace."""
    return {each.path.partition("/")[2]: each.body["properties"] for each in things if each.made and each.type == kind}


def _below(topic: Mapping[str, Any]) -> Mapping[str, Any]:
    return topic.get("subscriptions") or {}


def _rules(subscription: Mapping[str, Any]) -> Mapping[str, Any]:
    """Azure makes a $Default that takes everything, wherever none is said."""
    return {"$Default": NEVER} | subscription["rules"] if "rules" in subscription else {}


def _differences(what: str, found: Mapping[str, Any], told: Mapping[str, Any], fields: Mapping[str, Any]) -> Faults:
    for field, (name, form, default) in fields.items():
        value = told.get(field, default)
        wanted = form.format(value) if form and value is not None else value
        if found.get(name) != wanted:
            yield f"{what}: {name} is {found.get(name)}, and {field} asks for {wanted}"
    if unsaid := set(told) - set(fields) - {"rules", "subscriptions"}:
        yield f"{what}: {', '.join(sorted(unsaid))} cannot be deployed: only the local cloud has it"


def _rule(what: str, found: Mapping[str, Any], told: Mapping[str, Any]) -> Faults:
    if "parameters" in told:
        yield f"{what}: parameters cannot be deployed: write their values into the filter"
    if (found.get("action") or {}).get("sqlExpression") != told.get("action"):
        yield f"{what}: its action is {found.get('action')}"
    properties = told.get("properties", {})
    if any(not isinstance(value, str) for value in properties.values()):
        yield f"{what}: properties that are no text cannot be deployed: compare them in a sql filter"
    correlation = {f"{key[0].lower()}{key[1:]}": value for key, value in told.get("correlation", {}).items()}
    correlates = "correlation" in told or "properties" in told
    filtered = ("CorrelationFilter", correlation | {"properties": properties}) if correlates else None
    wanted = filtered or ("SqlFilter", {"sqlExpression": told.get("sql", "1=1")})
    said = found["filterType"], found.get("correlationFilter" if correlates else "sqlFilter")
    if said != wanted:
        yield f"{what}: it takes {said[1]}, not {wanted[1]}"
