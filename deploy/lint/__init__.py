"""What no schema sees in the manifests: pure functions over parsed documents; each complaint names its place."""

from collections.abc import Iterator, Mapping, Sequence

from deploy.lint import (
    entrance,
    environment,
    keda,
    lifecycle,
    network,
    ports,
    quantities,
    references,
    routes,
    security,
    selectors,
)
from deploy.lint.documents import Document
from deploy.lint.environment import Asked
from localcloud.topology import Topology


def check_cluster(
    documents: Sequence[Document], topology: Topology, asked: Asked = environment.names_in_azure
) -> Iterator[str]:
    yield from selectors.check_selectors(documents)
    yield from ports.check_ports(documents)
    yield from references.check_references(documents)
    yield from references.check_mounts(documents)
    yield from entrance.check_entrance(documents)
    yield from network.check_network(documents)
    yield from security.check_security(documents)
    yield from quantities.check_quantities(documents)
    yield from lifecycle.check_lifecycles(documents)
    yield from keda.check_scalers(documents, topology)
    yield from environment.check_environments(documents, topology, asked)


def check_apps(apps: Mapping[str, Document], topology: Topology) -> Iterator[str]:
    """Of Container Apps, without the routes."""
    for name, app in apps.items():
        yield from quantities.check_app_quantities(name, app)
        yield from lifecycle.check_app_lifecycle(name, app)
        yield from keda.check_app_scale(name, app, topology)
        yield from routes.check_app_ingress(name, app, topology)
        yield from environment.check_app_environments(name, app, topology)
        for container in app["properties"]["template"]["containers"]:
            yield from (f"{name}: {said}" for said in security.check_image(container["image"]))
