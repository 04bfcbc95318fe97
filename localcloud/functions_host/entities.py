"""Whether the queues and topics of an app are there, and are what its triggers take them for: as a topology says."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from localcloud.functions_host.bindings import ServiceBusOutput, ServiceBusTrigger
from localcloud.functions_host.indexing import Function, Refused
from localcloud.topology import Queue, Topology

T = TypeVar("T")

DEAD_LETTERS = "/$deadletterqueue"


def check(functions: Iterable[Function], known: Topology) -> None:
    """Raises Refused. What is disabled may wait for what is not there yet."""
    for function in functions:
        for bound in () if function.is_disabled else (function.trigger, *function.outputs):
            try:
                if isinstance(bound, ServiceBusTrigger):
                    _check_trigger(bound, known)
                elif isinstance(bound, ServiceBusOutput):
                    _find({**known.queues, **known.bus_topics}, bound.address[1], "queue or topic")
            except LookupError as error:
                raise Refused(f"{function.name}: {error.args[0]}") from error


def _check_trigger(trigger: ServiceBusTrigger, known: Topology) -> None:
    """Raises LookupError."""
    name = (trigger.queue_name or trigger.subscription_name).lower()
    entity = _entity(trigger, name.removesuffix(DEAD_LETTERS), known)
    has_sessions = entity.sessions and not name.endswith(DEAD_LETTERS)
    if has_sessions and not trigger.is_sessions_enabled:
        raise LookupError(f"{trigger.entity} has sessions; say is_sessions_enabled=True")
    if trigger.is_sessions_enabled and not has_sessions:
        raise LookupError(f"{trigger.entity} has no sessions; leave out is_sessions_enabled")


def _entity(trigger: ServiceBusTrigger, name: str, known: Topology) -> Queue:
    if trigger.queue_name:
        return _find(known.queues, name, "queue")
    topic = _find(known.bus_topics, trigger.topic_name, "topic")
    return _find(topic.subscriptions, name, f"subscription of {trigger.topic_name}")


def _find(among: Mapping[str, T], name: str, kind: str) -> T:
    for each, found in among.items():
        if each.lower() == name.lower():
            return found
    raise LookupError(f"there is no {kind} named {name}; there is: {', '.join(sorted(among)) or 'none'}")
