"""The way in: a route hangs on a Gateway that takes it, and the Gateway may read its certificate."""

from collections.abc import Iterator, Sequence

from deploy.lint.documents import Document, of_kind, title

NAMESPACE = "kubernetes.io/metadata.name"  # a label that each namespace has


def check_entrance(documents: Sequence[Document]) -> Iterator[str]:
    gateways = {(_home(each), each["metadata"]["name"]): each for each in of_kind(documents, "Gateway")}
    if not gateways:  # the base: each cluster has a way in of its own
        return
    for route in of_kind(documents, "HTTPRoute"):
        for parent in route["spec"]["parentRefs"]:
            gateway = gateways.get((parent.get("namespace", _home(route)), parent["name"]))
            if gateway is None:
                yield f"{title(route)}: parentRefs: there is no Gateway/{parent['name']}"
            elif not any(_takes(gateway, listener, route) for listener in gateway["spec"]["listeners"]):
                yield f"{title(route)}: parentRefs: {title(gateway)} takes no routes of {_home(route)}"
    for gateway in gateways.values():
        yield from _certificates(gateway, documents)


def _home(document: Document) -> str:
    return str(document["metadata"].get("namespace", "default"))


def _takes(gateway: Document, listener: Document, route: Document) -> bool:
    allowed = listener.get("allowedRoutes", {}).get("namespaces", {"from": "Same"})
    match allowed["from"]:
        case "All":
            return True
        case "Selector":
            return bool(allowed["selector"] == {"matchLabels": {NAMESPACE: _home(route)}})
        case _:
            return _home(gateway) == _home(route)


def _certificates(gateway: Document, documents: Sequence[Document]) -> Iterator[str]:
    for listener in gateway["spec"]["listeners"]:
        for each in listener.get("tls", {}).get("certificateRefs", []):
            home = each.get("namespace", _home(gateway))
            grants = [grant for grant in of_kind(documents, "ReferenceGrant") if _home(grant) == home]
            if home != _home(gateway) and not any(_grants(grant, gateway, each["name"]) for grant in grants):
                yield f"{title(gateway)}: listeners.{listener['name']}.tls: {home} does not let it read {each['name']}"


def _grants(grant: Document, gateway: Document, secret: str) -> bool:
    group = gateway["apiVersion"].partition("/")[0]
    reader = {"group": group, "kind": "Gateway", "namespace": _home(gateway)}
    return reader in grant["spec"]["from"] and {"group": "", "kind": "Secret", "name": secret} in grant["spec"]["to"]
