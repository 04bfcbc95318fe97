"""Every check of Container Apps sees what it is for."""

import copy
from collections.abc import Mapping

import pytest

from deploy import aca, lint
from deploy.lint import keda, routes, schemas
from deploy.lint.documents import Document
from localcloud.topology import Topology
from tests.deploy.conftest import Rendered
from tests.deploy.faults import GONE, Fault, edit, is_said

pytestmark = pytest.mark.deploy

RULES, SCALE = "properties template scale rules", "properties template scale"
APP, APP_INIT = "properties template containers 0", "properties template initContainers 0"

# fmt: off
IN_CONTAINER_APPS: Mapping[str, Fault] = {
    "a probe in lower case": (
        "orders", f"{APP} probes 0 type", "startup", "probes.startup: Container Apps has no such probe"),
    "a probe of a port by name": ("orders", f"{APP} probes 0 httpGet port", "http", "'http' is not of type 'number'"),
    "a probe too patient": (
        "orders", f"{APP} probes 0 failureThreshold", 30, "failureThreshold: 30 is not between 1 and 10"),
    "a probe by a command": (
        "orders", f"{APP} probes 2", {"type": "Liveness", "exec": {}}, "exactly one of httpGet and tcpSocket"),
    "cores as text": ("orders", f"{APP} resources cpu", "0.25", "cpu: '0.25' is no number"),
    "cores in a step that is not sold": ("orders", f"{APP} resources cpu", 0.3, "0.3 with 0.5Gi is no pair"),
    "memory that does not go with the cores": ("orders", f"{APP} resources memory", "1Gi", "0.25 with 1Gi is no pair"),
    "an init container without resources": (
        "orders", f"{APP_INIT} resources", GONE, "initContainers.migrate.resources"),
    "a setting that is missing": ("orders", f"{APP} env 0", GONE, "containers.orders.env: AUDIENCE is missing"),
    "a setting the migration lacks": (
        "orders", f"{APP_INIT} env 0", GONE, "initContainers.migrate.env: AUDIENCE is missing"),
    "a setting that nobody reads": ("orders", f"{APP} env 0 name", "AUDIENCES", "nobody asks for AUDIENCES"),
    "a setting of the host that is missing": (
        "functions", f"{APP} env 4", GONE, "AzureWebJobsSecretStorageType is missing"),
    "too little time to finish": (
        "orders", "properties template terminationGracePeriodSeconds", 20, "20 is less than the 28"),
    "the latest image": ("orders", f"{APP} image", "store/orders:latest", "name a version"),
    "a queue that nobody makes": (
        "orders", f"{RULES} 0 custom metadata queueName", "order", "the topology has no queue order"),
    "a typo in a key of KEDA's": (
        "orders", f"{RULES} 0 custom metadata mesageCount", "50", "mesageCount is unknown to KEDA"),
    "a typo in a key of the HTTP rule": (
        "orders", f"{RULES} 2 http metadata", {"concurrentRequest": "50"},
        "concurrentRequest is unknown to Container Apps"),
    "more replicas at least than at most": ("orders", f"{SCALE} minReplicas", 11, "11 to 10 replicas"),
    "rules for a function app": ("functions", RULES, [], "scale.rules: the platform makes those"),
    "a service on the internet": (
        "orders", "properties configuration ingress external", True, "reached by the environment's routes only"),
    "functions that hear nothing": (
        "functions", "properties configuration ingress external", False, "Event Grid could not call it"),
    "tokens in the open": (
        "orders", "properties configuration ingress allowInsecure", True, "tokens would travel in the open"),
    "a field that Container Apps has not": (
        "orders", "properties configuration ingress port", 8080, "'port' was unexpected"),
    "a kind that Container Apps has not": ("functions", "kind", "function", "'function' is not one of"),
    "a route that is missing": ("routes", "rules 1", GONE, "/api/orders to orders is missing"),
    "a route that publishes more": (
        "routes", "rules 1 routes 0 match", {"prefix": "/"}, "{'prefix': '/'} to orders is not in the topology"),
    "a route to the wrong app": (
        "routes", "rules 1 targets 0 containerApp", "catalog", "/api/orders to catalog is not in"),
    "a route that rewrites wrongly": (
        "routes", "rules 2 routes 0 action prefixRewrite", "/orders", "/api/invoice to orders as /orders is not in"),
    "a field that routes have not": ("routes", "rules 1 routes 0 rewrite", "/orders", "'rewrite' was unexpected"),
}
# fmt: on


@pytest.mark.parametrize("fault", IN_CONTAINER_APPS)
def test_a_fault_in_container_apps_is_seen(fault: str, rendered: Rendered, store: Topology, validators: None) -> None:
    name, path, value, expected = IN_CONTAINER_APPS[fault]
    specs = copy.deepcopy(aca.render(rendered("base")))
    faulty = specs[name]

    edit(faulty, path, value)
    of_routes = name == aca.ROUTES
    said = list(routes.check_app_routes(faulty, store) if of_routes else lint.check_apps({name: faulty}, store))
    if not is_said(expected, said):  # then it is for a schema to say it
        said += said_by_schemas_of_apps(name, faulty)

    assert is_said(expected, said), said


def said_by_schemas_of_apps(name: str, spec: Document) -> list[str]:
    if name == aca.ROUTES:
        return list(schemas.check_routes_schema(spec))
    return [*schemas.check_app_schema(name, spec), *keda.check_app_keys(name, spec, keda.keys())]
