"""`deploy/topology.yaml`, typed: who tells, who hears, who may."""

from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct, field

Status = Literal["Active", "Disabled", "SendDisabled", "ReceiveDisabled"]
Scalar = str | int | float | bool


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
    status: Status = "Active"
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


class BusTopic(Struct, frozen=True, forbid_unknown_fields=True):
    """A topic of Service Bus; `topics` are those of Event Grid."""

    ttl_seconds: float | None = None
    duplicate_window_seconds: float | None = None
    max_megabytes: int = 1024
    status: Status = "Active"
    subscriptions: dict[str, BusSubscription] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)


class Destination(Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one of the two is set."""

    queue: str | None = None
    function: str | None = None


class Subscription(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    topic: str
    to: Destination
    types: list[str]
    subject_begins_with: str = ""


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
    topics: list[str]
    queues: dict[str, Queue]
    subscriptions: list[Subscription]
    containers: list[str]
    private_containers: list[str]
    dead_letters: str  # one of them
    tables: list[str]
    secrets: list[str]
    settings: dict[str, Setting]
    identities: dict[str, Identity]
    routes: list[Route]
    bus_topics: dict[str, BusTopic] = field(default_factory=dict)


def load(path: Path) -> Topology:
    """Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.yaml.decode(path.read_bytes(), type=Topology)
