"""`deploy/topology.yaml`, typed: who tells, who hears, who may."""

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from localcloud.subscription import Destination, Schema, Subscription

__all__ = ["Destination", "Subscription", "Topology", "load"]

PLACES = {  # what roles are on that begin so: elsewhere they would grant nothing, and nobody would see why
    "EventGrid Data ": ("topics",),
    "Azure Service Bus Data ": ("queues", "bus-topics"),
    "Key Vault Secrets ": ("secrets",),
}
STORAGE = "storage"  # the account's own topic, on which Azure tells of blobs
Status = Literal["Active", "Disabled", "SendDisabled", "ReceiveDisabled"]
Idle = Annotated[float, Meta(ge=300)] | None  # seconds without use, after which it is removed
Claim = Literal["Send", "Listen", "Manage"]
Scalar = str | int | float | bool


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """Shared access to one queue or topic: who signs with one of the keys has these rights there."""

    rights: list[Claim]
    keys: list[str]


class Queue(Struct, frozen=True, forbid_unknown_fields=True):
    lock_seconds: float = 30
    max_delivery_count: int = 10
    sessions: bool = False
    ttl_seconds: float | None = None  # of messages that say none, and the most of those that do
    dead_letter_expired: bool = False  # else they are gone
    duplicate_window_seconds: float | None = None
    forward_to: str | None = None
    forward_dead_letters_to: str | None = None
    max_megabytes: int = 1024
    auto_delete_seconds: Idle = None
    status: Status = "Active"
    policies: dict[str, Policy] = field(default_factory=dict)  # by name
    remarks: dict[str, str] = field(default_factory=dict)  # what the administration client said beside, as it said it


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of a subscription: `sql`, or what a message's properties are. None of both: every message."""

    sql: str | None = None
    correlation: dict[str, str] | None = None  # MessageId, Label, …
    properties: dict[str, Scalar] = field(default_factory=dict)  # of the application, beside `correlation`
    parameters: dict[str, Scalar] = field(default_factory=dict)  # @name in `sql`
    action: str | None = None


class BusSubscription(Queue, frozen=True, forbid_unknown_fields=True):
    dead_letter_filter_errors: bool = True
    rules: dict[str, Rule] = field(default_factory=lambda: {"$Default": Rule()})

    def __post_init__(self) -> None:
        if self.policies:
            raise ValueError("a subscription has no policies: those of its topic hold for it - at `$.policies`")


class BusTopic(Struct, frozen=True, forbid_unknown_fields=True):
    """A topic of Service Bus; `topics` are those of Event Grid."""

    ttl_seconds: float | None = None
    duplicate_window_seconds: float | None = None
    max_megabytes: int = 1024
    auto_delete_seconds: Idle = None
    status: Status = "Active"
    policies: dict[str, Policy] = field(default_factory=dict)
    subscriptions: dict[str, BusSubscription] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    """A variable of the environment: whom it tells what, and whether that must be said."""

    of: list[str]
    says: str
    optional: bool = False
    only: Literal["azure", "local"] | None = None


class Right(Struct, frozen=True, forbid_unknown_fields=True):
    """An Azure role on one thing, e.g. `Key Vault Secrets User` on `secrets/catalog-*`."""

    role: str
    on: str

    def __post_init__(self) -> None:
        for roles, kinds in PLACES.items():
            if self.role.startswith(roles) and self.on.partition("/")[0] not in kinds:
                raise ValueError(f"{self.role} is a right on {' or '.join(kinds)}/<name>, and not on {self.on}")


class Identity(Struct, frozen=True, forbid_unknown_fields=True):
    client_id: UUID
    rights: list[Right]
    app_roles: list[str] = field(default_factory=list)


class Api(Struct, frozen=True, forbid_unknown_fields=True):
    client_id: UUID
    uri: str
    roles: list[str]
    redirect_uris: list[str] = field(default_factory=lambda: ["http://localhost", "http://127.0.0.1"])  # of signing in


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    to: str
    as_: str | None = field(default=None, name="as")


class Topology(Struct, frozen=True, forbid_unknown_fields=True):
    tenant: UUID
    namespace: str
    storage_account: str
    api: Api
    identities: dict[str, Identity]
    topics: list[str] = []
    queues: dict[str, Queue] = {}
    subscriptions: list[Subscription] = []
    containers: list[str] = []
    private_containers: list[str] = []
    dead_letters: str = "dead-letters"  # one of them
    tables: list[str] = []
    secrets: list[str] = []
    settings: dict[str, Setting] = {}
    routes: list[Route] = []
    bus_topics: dict[str, BusTopic] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)  # of what a topic takes, where that is not CloudEvents

    def __post_init__(self) -> None:
        for wrong in _wrongs(self):
            raise ValueError(wrong)


def _wrongs(known: Topology) -> Iterator[str]:
    """What no field shows by itself, with its place."""
    for place, each in enumerate(known.subscriptions):
        if wrong := _misdirected(known, each):
            yield f"{wrong} - at `$.subscriptions[{place}]` ({each.name})"
    for name in _twice(each.name for each in known.subscriptions):
        yield f"two subscriptions have the name {name}"
    for name in _twice(known.topics):
        yield f"two topics have the name {name}, whatever its case - at `$.topics`"
    for name in sorted(known.schemas.keys() - set(known.topics)):
        yield f"there is no topic {name} - at `$.schemas`"
    for name in _twice((*known.queues, *known.bus_topics)):
        yield f"two queues or topics have the name {name}, whatever its case - at `$.queues` and `$.bus_topics`"
    yield from _stray(known)


def _misdirected(known: Topology, each: Subscription) -> str | None:
    if each.topic not in (*known.topics, STORAGE):
        return f"there is no topic {each.topic}"
    if each.to.queue is not None and each.to.queue not in known.queues:
        return f"there is no queue {each.to.queue}"
    if each.to.bus_topic is not None and each.to.bus_topic not in known.bus_topics:
        return f"there is no topic {each.to.bus_topic} among bus_topics"
    if each.schema == "eventgrid" and each.topic != STORAGE and each.topic not in known.schemas:
        return f"the topic {each.topic} takes CloudEvents, which can be delivered as such only"
    return None


def _twice(names: Iterable[str]) -> list[str]:
    """In lower case: names in Azure have no case."""
    return [name for name, times in Counter(map(str.lower, names)).items() if times > 1]


def _stray(known: Topology) -> Iterator[str]:
    """Queues and subscriptions that forward to nowhere: what is sent there would never be received."""
    there = {name.lower() for name in (*known.queues, *known.bus_topics)}
    for name, queue in known.queues.items():
        yield from _lost(queue, there - {name.lower()}, f"$.queues.{name}")
    for topic, said in known.bus_topics.items():
        for name in _twice(said.subscriptions):
            yield f"two subscriptions have the name {name}, whatever its case - at `$.bus_topics.{topic}`"
        for name, below in said.subscriptions.items():
            yield from _lost(below, there, f"$.bus_topics.{topic}.subscriptions.{name}")


def _lost(queue: Queue, there: Set[str], place: str) -> Iterator[str]:
    if queue.sessions and queue.forward_to:
        yield f"what has sessions forwards nothing - at `{place}.forward_to`"
    for field_ in ("forward_to", "forward_dead_letters_to"):
        if (to := getattr(queue, field_)) is not None and to.lower() not in there:
            yield f"there is no other queue or topic {to} - at `{place}.{field_}`"


def load(path: Path) -> Topology:
    """Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.yaml.decode(path.read_bytes(), type=Topology)
