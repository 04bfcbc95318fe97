"""A port that is named is there: of Services, probes, routes and policies."""

from collections.abc import Iterator, Sequence

from deploy.lint.documents import Document, containers, named, of_kind, pod, title
from deploy.lint.selectors import selected

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def check_ports(documents: Sequence[Document]) -> Iterator[str]:
    for service in of_kind(documents, "Service"):
        for port in service["spec"].get("ports", []):
            target = port.get("targetPort", port["port"])
            for deployment in selected(documents, service["spec"]["selector"]):
                if target not in open_ports(deployment):
                    yield f"{title(service)}: spec.ports.targetPort: {title(deployment)} has no port {target}"
    for deployment in of_kind(documents, "Deployment"):
        yield from _probed(deployment)
    for route in of_kind(documents, "HTTPRoute"):
        yield from _routed(route, documents)
    for policy in of_kind(documents, "NetworkPolicy"):
        yield from _let_in(policy, documents)


def open_ports(deployment: Document) -> set[str | int]:
    ports = [port for container in pod(deployment)["containers"] for port in container.get("ports", [])]
    return {port["containerPort"] for port in ports} | {port["name"] for port in ports if "name" in port}


def _probed(deployment: Document) -> Iterator[str]:
    """A number needs no declaration, so it is compared only where something is declared."""
    for where, container in containers(deployment):
        declared = open_ports(deployment)
        for probe in PROBES:
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if port is not None and port not in declared and (declared or isinstance(port, str)):
                yield f"{where}.{probe}.httpGet.port: the container has no port {port}"


def _routed(route: Document, documents: Sequence[Document]) -> Iterator[str]:
    for reference in (each for rule in route["spec"]["rules"] for each in rule["backendRefs"]):
        service = named(documents, "Service", reference["name"])
        if service is None or reference["port"] not in {each["port"] for each in service["spec"]["ports"]}:
            yield f"{title(route)}: backendRefs: there is no Service/{reference['name']} with port {reference['port']}"


def _let_in(policy: Document, documents: Sequence[Document]) -> Iterator[str]:
    ports = [port["port"] for rule in policy["spec"].get("ingress", []) for port in rule.get("ports", [])]
    for deployment in selected(documents, policy["spec"]["podSelector"]) if ports else []:
        for port in set(ports) - open_ports(deployment):
            yield f"{title(policy)}: ingress.ports: {title(deployment)} has no port {port}"
