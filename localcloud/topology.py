"""`deploy/topology.yaml`, typed: who tells, who hears, who may."""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from localcloud.subscription import Destination, Schema, Subscription

__all__ = ["Destination", "Subscription", "Topology", "load"]

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
        for place, each in enumerate(self.subscriptions):
            if wrong := _wrong(self, each):
                raise ValueError(f"{wrong} - at `$.subscriptions[{place}]` ({each.name})")
        names = [each.name.lower() for each in self.subscriptions]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two subscriptions have the name {twice}")
        if unknown := self.schemas.keys() - set(self.topics):
            raise ValueError(f"there is no topic {min(unknown)} - at `$.schemas`")


def _wrong(known: Topology, each: Subscription) -> str | None:
    if each.topic not in (*known.topics, STORAGE):
        return f"there is no topic {each.topic}"
    if each.to.queue is not None and each.to.queue not in known.queues:
        return f"there is no queue {each.to.queue}"
    if each.to.bus_topic is not None and each.to.bus_topic not in known.bus_topics:
        return f"there is no topic {each.to.bus_topic} among bus_topics"
    if each.schema == "eventgrid" and each.topic != STORAGE and each.topic not in known.schemas:
        return f"the topic {each.topic} takes CloudEvents, which can be delivered as such only"
    return None


def load(path: Path) -> Topology:
    """Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.yaml.decode(path.read_bytes(), type=Topology)
