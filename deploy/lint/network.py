"""Who may talk to whom: what is not said is refused, and whoever is told where another is may call it."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from deploy.lint.documents import Document, containers, environment, named, of_kind, pod, title
from deploy.lint.ports import open_ports
from deploy.lint.selectors import selected

BOTH = {"Ingress", "Egress"}


def check_network(documents: Sequence[Document]) -> Iterator[str]:
    """A policy means nothing to a pod on its node's own network."""
    guarded = [each for each in of_kind(documents, "Deployment") if not pod(each).get("hostNetwork")]
    for deployment in guarded:
        if not any(_refuses(policy) for policy in _policies(documents, deployment)):
            yield f"{title(deployment)}: no NetworkPolicy refuses what is not said"
        for called in _called(documents, deployment):
            yield from _way(documents, deployment, called)
    for policy in of_kind(documents, "NetworkPolicy"):
        for side, fields in (("ingress", ("from", "ports")), ("egress", ("ports",))):
            for rule in policy["spec"].get(side, []):
                yield from (f"{title(policy)}: {side}.{field}: is left open" for field in fields if not rule.get(field))


def _policies(documents: Sequence[Document], deployment: Document) -> list[Document]:
    policies = of_kind(documents, "NetworkPolicy")
    return [each for each in policies if deployment in selected(documents, each["spec"]["podSelector"])]


def _refuses(policy: Document) -> bool:
    spec = policy["spec"]
    return set(spec["policyTypes"]) == BOTH and not spec.get("ingress") and not spec.get("egress")


def _called(documents: Sequence[Document], deployment: Document) -> list[Document]:
    """Those whose Service is in what it is told."""
    told = [value for _, container in containers(deployment) for value in environment(documents, container).values()]
    services = [named(documents, "Service", urlsplit(value).hostname or "") for value in told if "://" in value]
    return [each for service in services if service for each in selected(documents, service["spec"]["selector"])]


def _way(documents: Sequence[Document], caller: Document, called: Document) -> Iterator[str]:
    if not _lets(documents, caller, "egress", "to", called, called):
        yield f"{title(caller)}: no NetworkPolicy lets it out to {title(called)}"
    if not _lets(documents, called, "ingress", "from", caller, called):
        yield f"{title(called)}: no NetworkPolicy lets {title(caller)} in"


def _lets(
    documents: Sequence[Document], whose: Document, side: str, peers: str, other: Document, called: Document
) -> bool:
    rules = [rule for policy in _policies(documents, whose) for rule in policy["spec"].get(side, [])]
    return any(
        other in selected(documents, peer["podSelector"])
        for rule in rules
        if {port["port"] for port in rule.get("ports", [])} & open_ports(called)
        for peer in rule.get(peers, [])
        if "podSelector" in peer and "namespaceSelector" not in peer
    )
