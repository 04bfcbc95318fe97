"""What is let in is what the topology says, and nothing else: a route publishes what it leads to."""

from collections.abc import Iterator, Sequence

from deploy.lint.documents import Document, named, of_kind, title
from localcloud.topology import Topology

Entry = tuple[str, str, str | None]  # the path, who gets it, what it becomes

STORAGE, GATEWAY = "storage", "gateway"
EVENTS = "/runtime/webhooks/EventGrid"  # of the Functions host, as deploy/azure tells it to Event Grid


def check_routes(documents: Sequence[Document], topology: Topology) -> Iterator[str]:
    """In a cluster the gateway serves what lies in storage."""
    route = named(documents, "HTTPRoute", "store")
    if route is None:
        yield "HTTPRoute/store: is missing"
        return
    wanted = {(each.path, GATEWAY if each.to == STORAGE else each.to, each.as_) for each in topology.routes}
    yield from _compare("HTTPRoute/store", wanted, set(_entries(route)))
    for other in of_kind(documents, "HTTPRoute"):
        if other is not route:
            yield from _only_events(other)


def check_app_routes(routes: Document, topology: Topology) -> Iterator[str]:
    """A route of Container Apps leads to an app: what lies in storage is read there."""
    wanted = {(each.path, each.to, each.as_) for each in topology.routes if each.to != STORAGE}
    found = {
        (each["match"].get("pathSeparatedPrefix", str(each["match"])), target["containerApp"], _rewrite(each))
        for rule in routes["rules"]
        for target in rule["targets"]
        for each in rule["routes"]
    }
    yield from _compare("routes", wanted, found)


def _rewrite(route: Document) -> str | None:
    rewrite: str | None = route.get("action", {}).get("prefixRewrite")
    return rewrite


def _entries(route: Document) -> Iterator[Entry]:
    for rule in route["spec"]["rules"]:
        rewrites = [each["urlRewrite"]["path"]["replacePrefixMatch"] for each in rule.get("filters", [])]
        for match in rule["matches"]:
            path = match["path"]["value"] if match["path"]["type"] == "PathPrefix" else str(match["path"])
            for backend in rule["backendRefs"]:
                yield path, backend["name"], rewrites[0] if rewrites else None


def _only_events(route: Document) -> Iterator[str]:
    for rule in route["spec"]["rules"]:
        paths = [match["path"] for match in rule["matches"]]
        backends = [each["name"] for each in rule["backendRefs"]]
        if any(path != {"type": "Exact", "value": EVENTS} for path in paths) or backends != ["functions"]:
            yield f"{title(route)}: lets in more than Event Grid's calls of functions"


def _compare(where: str, wanted: set[Entry], found: set[Entry]) -> Iterator[str]:
    yield from (f"{where}: {_say(entry)} is missing" for entry in sorted(wanted - found, key=_say))
    yield from (f"{where}: {_say(entry)} is not in the topology" for entry in sorted(found - wanted, key=_say))


def _say(entry: Entry) -> str:
    path, to, becomes = entry
    return f"{path} to {to}" + (f" as {becomes}" if becomes else "")


def check_app_ingress(name: str, app: Document, topology: Topology) -> Iterator[str]:
    """A service is reached by the routes only; functions that hear facts, by Event Grid, which is outside."""
    ingress = app["properties"]["configuration"]["ingress"]
    if ingress["external"] and name in topology.queues:
        yield f"{name}: ingress.external: a service is reached by the environment's routes only"
    if name == "functions" and not ingress["external"] and any(each.to.function for each in topology.subscriptions):
        yield f"{name}: ingress.external: Event Grid could not call it"
    if ingress.get("allowInsecure"):
        yield f"{name}: ingress.allowInsecure: tokens would travel in the open"
