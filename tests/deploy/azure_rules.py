"""What the platform must keep to: each rule tells its faults, one line each."""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from deploy.azure.refusals import unused
from deploy.lint.documents import Missing
from tests.deploy.azure_bus_rules import bus_places
from tests.deploy.azure_cluster_rules import mounted
from tests.deploy.azure_plans import (
    ENVIRONMENT,
    KINDS,
    OPERATOR,
    PROJECT,
    SERVICES,
    SUBSCRIPTIONS,
    Faults,
    Thing,
    Wrong,
    everything,
    made,
    one,
    parsed,
    topology_of,
)

TOPICS = (KINDS["topics"], "Microsoft.EventGrid/systemTopics")
# Of Microsoft's page "Azure built-in roles", written down a second time: a slip in one of them is seen.
BUILT_IN = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "090c5cfd-751d-490a-894a-3ce6f1109419": "Azure Service Bus Data Owner",
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": "Azure Service Bus Data Receiver",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "Storage Blob Delegator",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
}


# Knows nothing that the other rules do not, but the branches that no plan takes.
CHECKER = PROJECT.parent / "shared/tools/bicepcheck.py"


@functools.cache
def _checker() -> Any:
    if not CHECKER.exists():
        raise Missing(
            "a second type checker for Bicep is not beside this repository; infra.yml has Microsoft's compiler"
        )
    spec = importlib.util.spec_from_file_location("bicepcheck", CHECKER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def types(root: Path) -> Faults:
    """Against Azure's published type definitions."""
    for path in sorted((root / "deploy/azure").rglob("*.bicep")):
        yield from _checker().F(path).check()


def plans(root: Path) -> Faults:
    """Every file can be worked out, says what it is for, and has a use for all that it is told."""
    for engine in ("postgres", "azuresql", "tables", "cosmos"):
        try:
            everything(root, **{f"{name.upper()}_ENGINE": engine for name in SERVICES})
        except Wrong as wrong:
            yield f"{engine}: {wrong}"
    for path in sorted((root / "deploy/azure").rglob("*.bicep*")):
        if not re.match(r"(// \S.*\n)*// .*\.\n\n", path.read_text()):
            yield f"{path.name} does not open with a line on what it is for"
    for path in sorted((root / "deploy/azure").rglob("*.bicep")):
        yield from (f"{path.name}: nobody uses the parameter {name}" for name in unused(parsed(path)))


def names(root: Path) -> Faults:
    """What a deployable counts on is what the platform makes; nothing is made twice."""
    things = everything(root)
    ids = [thing.id for thing in things if thing.made]
    secrets = f"{one(things, 'Microsoft.KeyVault/vaults').id}/".replace("/vaults/", "/vaults/secrets/")
    yield from (f"{each} is made twice" for each in sorted({each for each in ids if ids.count(each) > 1}))
    for thing in things:
        if thing.existing and thing.id not in ids and not thing.id.startswith(secrets):
            yield f"{thing.type} {thing.path} is counted on, and nobody makes it"


def messaging(root: Path) -> Faults:
    """Queues, topics, containers, tables, identities and subscriptions are the topology's."""
    told, things = topology_of(root), everything(root)
    suffix = next(iter(made(things, KINDS["topics"]))).rpartition("-")[2]
    for what, expected, found in (
        ("queues", set(told["queues"]), set(made(things, KINDS["queues"]))),
        ("topics", {f"{name}-{suffix}" for name in told["topics"]}, set(made(things, KINDS["topics"]))),
        ("containers", {*_containers(told), "dead-letters"}, set(made(things, KINDS["containers"]))),
        ("tables", set(told["tables"]), set(made(things, KINDS["tables"]))),
        ("identities", {*told["identities"], "gateway", "platform"} - {"operator"}, _identities(things)),
    ):
        if expected != found:
            yield f"{what}: {sorted(expected ^ found)} are not on both sides"
    for name, queue in made(things, KINDS["queues"]).items():
        wanted = told["queues"].get(name, {})
        said = queue.body["properties"]
        if said["lockDuration"] != f"PT{wanted.get('lock_seconds')}S":
            yield f"queue {name}: lockDuration is {said['lockDuration']}"
        if said["maxDeliveryCount"] != wanted.get("max_delivery_count"):
            yield f"queue {name}: maxDeliveryCount is {said['maxDeliveryCount']}"
        if not said.get("requiresDuplicateDetection"):
            yield f"queue {name} does not know repeats"


def _containers(told: Mapping[str, Any]) -> list[str]:
    return [*told["containers"], *told["private_containers"]]


def _identities(things: list[Thing]) -> set[str]:
    return set(made(things, "Microsoft.ManagedIdentity/userAssignedIdentities"))


def subscriptions(root: Path) -> Faults:
    told, things = topology_of(root), everything(root)
    found = {name: thing for kind in SUBSCRIPTIONS for name, thing in made(things, kind).items()}
    wanted = {each["name"]: each for each in told["subscriptions"]}
    if set(found) != set(wanted):
        yield f"subscriptions: {sorted(set(found) ^ set(wanted))} are not on both sides"
    queues = {thing.id: name for name, thing in made(things, KINDS["queues"]).items()}
    for name in set(found) & set(wanted):
        yield from _subscription(name, found[name], wanted[name], queues)


def _subscription(name: str, found: Thing, wanted: Mapping[str, Any], queues: Mapping[str, str]) -> Faults:
    said = found.body["properties"]
    if not found.parent or not found.parent.name.startswith(f"{wanted['topic']}-"):
        yield f"subscription {name} is not on topic {wanted['topic']}"
    yield from _filter(name, said["filter"], wanted)
    if said["eventDeliverySchema"] != "CloudEventSchemaV1_0":
        yield f"subscription {name} brings no CloudEvents"
    if "queue" in wanted["to"]:
        target = said["deliveryWithResourceIdentity"]["destination"]["properties"]
        if queues.get(target["resourceId"]) != wanted["to"]["queue"]:
            yield f"subscription {name} does not lead to queue {wanted['to']['queue']}"
        if ("MessageId", "id") not in _mappings(target):
            yield f"subscription {name} does not let the queue know a repeat"
    elif f"functionName={wanted['to']['function']}&code=<" not in said["destination"]["properties"]["endpointUrl"]:
        yield f"subscription {name} does not call {wanted['to']['function']} with the host's key"
    buried = said.get("deadLetterWithResourceIdentity", {}).get("deadLetterDestination", {}).get("properties", {})
    if buried.get("blobContainerName") != "dead-letters":  # that it is there and open to nobody, others look
        yield f"subscription {name} buries its dead letters nowhere"
    if said["retryPolicy"] != {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}:
        yield f"subscription {name} does not try for a day"


def _filter(name: str, said: Mapping[str, Any], wanted: Mapping[str, Any]) -> Faults:
    if said["includedEventTypes"] != wanted["types"]:
        yield f"subscription {name} hears other types"
    if said.get("subjectBeginsWith", "") != wanted.get("subject_begins_with", ""):
        yield f"subscription {name} hears of other subjects"


def _mappings(target: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each["name"], each["properties"]["sourceField"]) for each in target.get("deliveryAttributeMappings", [])]


def roles(root: Path) -> Faults:
    """Every role has Microsoft's id; everyone has the topology's rights and those that Azure's parts need, no more."""
    for name, role_id in json.loads((root / "deploy/azure/roles.json").read_text()).items():
        if BUILT_IN.get(role_id) != name:
            yield f"{name} is not {role_id}"
    things = everything(root)
    given = set(_given(things))
    wanted = set(_wanted(topology_of(root), things))
    yield from (f"too much: {' '.join(each)}" for each in sorted(given - wanted))
    yield from (f"too little: {' '.join(each)}" for each in sorted(wanted - given))


def _given(things: list[Thing]) -> Iterator[tuple[str, str, str]]:
    for thing in things:
        if thing.made and thing.type == "Microsoft.Authorization/roleAssignments":
            said, scope = thing.body["properties"], thing.scope
            assert scope is not None
            who = re.sub(r"-\w{13}$", " topic", said["principalId"].strip("<>").split(".")[0])
            who = "operator" if who == OPERATOR else who
            if who != "operator" and said.get("principalType") != "ServicePrincipal":
                who += " of no type"  # Azure refuses one that is too new to be known everywhere, unless it is told
            yield who, BUILT_IN.get(said["roleDefinitionId"].rpartition("/")[2], "?"), _place(scope)


def _place(thing: Thing) -> str:
    short = {kind: name for name, kind in KINDS.items()}.get(thing.type, thing.type.rpartition("/")[2])
    if thing.parent and thing.parent.type == KINDS["bus-topics"]:
        short = f"bus-topics/{thing.parent.name}/{short}"
    return f"{short}/{re.sub(r'-?[0-9a-f]{13}$', '', thing.name)}"


def _wanted(told: Mapping[str, Any], things: list[Thing]) -> Iterator[tuple[str, str, str]]:
    there = {"secrets": told["secrets"], "topics": told["topics"]}
    there["bus-topics"] = list(bus_places(told))
    there |= {kind: list(made(things, KINDS[kind])) for kind in ("queues", "tables", "containers")}
    for who, identity in told["identities"].items():
        for right in identity["rights"]:
            kind, _, pattern = right["on"].partition("/")
            if right["on"] == "secrets/*":
                yield who, right["role"], "vaults/store"
            elif kind == "accounts":
                yield who, right["role"], f"storageAccounts/{pattern}"
            else:
                known = [name for name in there[kind] if name.count("/") == pattern.count("/")]
                yield from ((who, right["role"], f"{kind}/{n}") for n in known if fnmatchcase(n, pattern))
    yield "platform", "AcrPull", "registries/store"
    yield from (("platform", "Azure Service Bus Data Owner", f"queues/{name}") for name in told["queues"])
    yield "functions", "Storage Blob Data Owner", "storageAccounts/storehost"
    yield from (
        (who, "Monitoring Metrics Publisher", "components/store") for who in told["identities"] if who != "operator"
    )
    yield from ((who, "Key Vault Secrets User", f"secrets/{secret}") for who, secret in mounted())
    for name in (*told["topics"], "storage"):
        yield f"{name} topic", "Storage Blob Data Contributor", "containers/dead-letters"
    for each in told["subscriptions"]:
        if "queue" in each["to"]:
            yield f"{each['topic']} topic", "Azure Service Bus Data Sender", f"queues/{each['to']['queue']}"


def keyless(root: Path) -> Faults:
    """Nothing can be entered with a key or a password, databases let in one address, and only media is for all."""
    closed = {
        "Microsoft.ServiceBus/namespaces": ("disableLocalAuth", True),
        "Microsoft.EventGrid/topics": ("disableLocalAuth", True),
        "Microsoft.DocumentDB/databaseAccounts": ("disableLocalAuth", True),
        "Microsoft.Storage/storageAccounts": ("allowSharedKeyAccess", False),
        "Microsoft.ContainerRegistry/registries": ("adminUserEnabled", False),
        "Microsoft.Insights/components": ("DisableLocalAuth", True),
        "Microsoft.DBforPostgreSQL/flexibleServers": ("passwordAuth", "Disabled"),
        "Microsoft.Sql/servers": ("azureADOnlyAuthentication", True),
        "Microsoft.KeyVault/vaults": ("enableRbacAuthorization", True),
    }
    engines = {"CATALOG_ENGINE": "postgres", "ORDERS_ENGINE": "azuresql", "CUSTOMERS_ENGINE": "cosmos"}
    for thing in everything(root, **engines):
        said = thing.body.get("properties", {})
        name, wanted = closed.get(thing.type, ("", None))
        flat = {**said, **said.get("authConfig", {}), **said.get("administrators", {})} if name else {}
        if thing.made and flat.get(name) != wanted:
            yield f"{thing.type} {thing.name}: {name} is {flat.get(name)}"
        addresses = {said.get(key) for key in ("startIpAddress", "endIpAddress")}
        if thing.type.endswith("/firewallRules") and addresses not in ({"0.0.0.0"}, {ENVIRONMENT["OPERATOR_ADDRESS"]}):
            yield f"{thing.path} lets in {sorted(addresses)}"
        if thing.made and said.get("publicAccess") == "Blob" and thing.name not in topology_of(root)["containers"]:
            yield f"container {thing.name} is for all"


def alerts(root: Path) -> Faults:
    """Dead letters, a backlog and 5xx are told to somebody."""
    things = everything(root)
    watched = set()
    for thing in made(things, "Microsoft.Insights/metricAlerts").values():
        said = thing.body["properties"]
        if not said["enabled"] or not said["actions"]:
            yield f"alert {thing.name} tells nobody"
        for scope, each in product(said["scopes"], said["criteria"]["allOf"]):
            watched.add((scope, each["metricName"]))
            if f"/{each['metricNamespace']}/".lower() not in scope.lower():
                yield f"alert {thing.name} looks for a metric of {each['metricNamespace']} at {scope}"
    wanted = {(thing.id, "Requests") for thing in made(things, "Microsoft.App/containerApps").values()}
    wanted |= {(thing.id, "DeadLetteredCount") for kind in TOPICS for thing in made(things, kind).values()}
    bus = one(things, "Microsoft.ServiceBus/namespaces").id
    wanted |= {(bus, "DeadletteredMessages"), (bus, "ActiveMessages")}
    yield from (f"nobody watches {metric} of {scope}" for scope, metric in sorted(wanted - watched))
