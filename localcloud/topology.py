"""`deploy/topology.yaml`, typed: who tells, who hears, who may."""

from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct, field


class Queue(Struct, frozen=True, forbid_unknown_fields=True):
    lock_seconds: int = 30
    max_delivery_count: int = 10


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


def load(path: Path) -> Topology:
    """Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.yaml.decode(path.read_bytes(), type=Topology)
