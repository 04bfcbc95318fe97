"""What is where, at a glance: a snapshot of the emulators' own objects. Nothing changes by being looked at."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from localcloud.eventgrid import Conditions, SubscriptionState
from localcloud.inspector.calls import Functions
from localcloud.keyvault.secret import Kept
from localcloud.mail import Letter
from localcloud.servicebus import ledger
from localcloud.servicebus.entry import State
from localcloud.servicebus.namespace import Defined, Namespace
from localcloud.servicebus.queue import Queue
from localcloud.topology import Subscription

MOST_ENTITIES: Final = 500
MOST_SECRETS: Final = 500
MOST_LETTERS: Final = 50


class Entity(Struct, frozen=True):
    """A queue, a topic or a topic's subscription of Service Bus."""

    name: str
    kind: str
    status: str
    active: int
    locked: int
    scheduled: int
    deferred: int
    dead: int
    stuck: int  # could not be forwarded
    oldest: datetime | None  # of those that wait to be received


class Subscriber(Struct, frozen=True):
    """A subscription of Event Grid."""

    name: str
    topic: str
    to: str
    types: list[str]
    state: SubscriptionState
    graves: int | None  # blobs of dead letters; None where storage does not answer


class Secret(Struct, frozen=True):
    """Without what it says."""

    name: str
    changed: datetime


class Overview(Struct, frozen=True):
    topics: list[str]
    subscriptions: list[Subscriber]
    entities: list[Entity]
    functions: Functions
    secrets: list[Secret]
    letters: list[Letter]
    conditions: Conditions


def entities(namespace: Namespace) -> list[Entity]:
    return [entity(defined) for _, defined in sorted(namespace.defined.items())[:MOST_ENTITIES]]


def entity(defined: Defined) -> Entity:
    queue, sub_queue = defined.entity.queue, defined.entity.sub_queue
    scheduled = _scheduled(queue)
    return Entity(
        name=defined.name,
        kind=defined.kind,
        status=defined.settings.status,
        active=queue.active,
        locked=len(queue.locked),
        scheduled=scheduled,
        deferred=_parked(queue) - scheduled,
        dead=len(sub_queue(ledger.DEAD).queue.entries),
        stuck=len(sub_queue(ledger.STUCK).queue.entries),
        oldest=_oldest(queue),
    )


def secrets(kept: list[tuple[str, Kept]]) -> list[Secret]:
    return [Secret(newest.shown, datetime.fromtimestamp(newest.created, UTC)) for _, newest in kept]


def subscriber(of: Subscription, state: SubscriptionState, graves: Counter[str] | None) -> Subscriber:
    dead = None if graves is None else graves[of.name]
    return Subscriber(of.name, of.topic, _said(state.to), of.types, state, dead)


def _said(to: dict[str, str]) -> str:
    return ", ".join(f"{kind} {what}" for kind, what in to.items())


def _parked(queue: Queue) -> int:
    return len(queue.entries) - queue.active - len(queue.locked)


def _scheduled(queue: Queue) -> int:
    """They are counted only where there may be one: that takes a look at each message."""
    return sum(each.state == State.SCHEDULED for each in queue.entries.values()) if _parked(queue) else 0


def _oldest(queue: Queue) -> datetime | None:
    if not queue.active:
        return None
    first = next(each for each in queue.entries.values() if each.state == State.ACTIVE and not each.token)
    return datetime.fromtimestamp(first.enqueued / 1000, UTC)
