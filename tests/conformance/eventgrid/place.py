"""Where the suite runs: Azure, where the environment says so; else the local cloud, alone with a topology of its own.

In Azure there must be two topics, one of each schema, each with a subscription that delivers to the Service Bus queue
in the topic's own schema, the first with the filter and the property of SUBSCRIPTIONS below:

    EVENTGRID_CONFORMANCE_ENDPOINT, _KEY            the topic that takes CloudEvents
    EVENTGRID_CONFORMANCE_OWN_ENDPOINT, _OWN_KEY    the topic that takes Event Grid's own schema
    EVENTGRID_CONFORMANCE_SERVICEBUS, _QUEUE        a connection string, and the queue
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from azure.identity.aio import DefaultAzureCredential
from msgspec import structs

from localcloud import topology
from localcloud.access import Issuer
from localcloud.addresses import HOST, Addresses, Port
from localcloud.identity import issuer_url
from localcloud.program import Program, listening
from localcloud.state import State
from localcloud.subscription import Subscription
from localcloud.topology import Topology
from tests.localcloud.credential import Credential
from tests.localcloud.programs import free_ports, running

ROOT: Final = Path(__file__).parents[3]
PREFIX: Final = "EVENTGRID_CONFORMANCE_"
SAID: Final = {name.removeprefix(PREFIX): value for name, value in os.environ.items() if name.startswith(PREFIX)}
WHERE: Final = "Azure" if "ENDPOINT" in SAID else "the emulator (localcloud/eventgrid)"
PATIENCE_SECONDS: Final = 30
UNWANTED: Final = "unwanted"
SUBSCRIPTIONS: Final[list[dict[str, Any]]] = [
    {
        "name": "cloudevents",
        "topic": "orders",
        "to": {"queue": "orders"},
        "filters": [{"operator": "StringNotIn", "key": "data.kind", "values": [UNWANTED]}],
        "attributes": {"kind": {"from": "data.kind"}},
    },
    {"name": "own", "topic": "customers", "to": {"queue": "orders"}, "schema": "eventgrid"},
]


@dataclass(frozen=True, slots=True)
class Topic:
    endpoint: str
    key: str


@dataclass(frozen=True, slots=True)
class Place:
    cloud_events: Topic
    own: Topic
    bus: str
    queue: str
    options: dict[str, Any]  # of a publisher
    credential: Any  # of one who may publish to the first topic


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    if "ENDPOINT" in SAID:
        async with DefaultAzureCredential() as credential:
            own = Topic(SAID["OWN_ENDPOINT"], SAID["OWN_KEY"])
            yield Place(Topic(SAID["ENDPOINT"], SAID["KEY"]), own, SAID["SERVICEBUS"], SAID["QUEUE"], {}, credential)
        return
    known = written(folder / "topology.yaml")
    addresses, state = Addresses(free_ports(len(Port))), State(folder / "state")
    ready = partial(listening, addresses.port(Port.EVENTGRID), addresses.port(Port.LETTERS))
    async with running(Program("localcloud", argv(folder, addresses.base), ready, cwd=ROOT), folder / "log"):
        yield _local(known, addresses, state)


def written(file: Path) -> Topology:
    """The store's topology with our subscriptions alone; in the file too."""
    store = topology.load(ROOT / "deploy/topology.yaml")
    ours = msgspec.convert(SUBSCRIPTIONS, list[Subscription])
    known = structs.replace(store, subscriptions=ours, schemas={"customers": "eventgrid"})
    file.write_bytes(msgspec.yaml.encode(known))
    return known


def argv(folder: Path, base: int) -> list[str]:
    told = ["--topology", str(folder / "topology.yaml"), "--state", str(folder / "state"), "--base-port", str(base)]
    return [sys.executable, "-m", "localcloud", *told]


def _local(known: Topology, addresses: Addresses, state: State) -> Place:
    issuer = Issuer.open(state.identity, issuer_url(addresses, known.tenant), known.tenant)
    key = (state.identity / "RootManageSharedAccessKey").read_text()
    port = addresses.port(Port.SERVICEBUS)
    bus = f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={key}"
    cloud_events, own = (
        Topic(f"{addresses.url(Port.EVENTGRID)}/{name}/api/events", (state.identity / f"eventgrid-{name}").read_text())
        for name in ("orders", "customers")
    )
    return Place(
        cloud_events,
        own,
        bus=f"{bus};UseDevelopmentEmulator=true",
        queue="orders",
        options={"connection_verify": str(state.certificates / "ca.pem")},
        credential=Credential(issuer, known, "orders"),
    )
