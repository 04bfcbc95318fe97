"""The Container Apps manifests, rendered from the Kubernetes base: `python -m deploy.aca [--check]`.

Each file is the body of a `Microsoft.App/containerApps`, routes.yaml the properties of the environment's
`httpRouteConfigs`. Bicep adds what only it knows: ids, identities, the registry, and what is set by the environment.
"""

import argparse
import difflib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from deploy.lint.documents import MANIFESTS, Document, environment, kustomize, named, of_kind, pod
from deploy.lint.quantities import cores, gibibytes

ROUTES = "routes"
FUNCTION_APPS = frozenset({"functions"})  # the platform scales them by their triggers, and takes no rule of ours
# Event Grid delivers over the internet. Services are reached by the environment's routes, which ask for no such thing.
EXTERNAL = frozenset({"functions", "gateway"})
# For media: a route of the environment leads to apps, MEDIA_URL to the storage itself.
NOT_AN_APP = frozenset({"gateway"})
CONCURRENT_REQUESTS = "store/concurrent-requests"
KEPT_REVISIONS = 5
HEADING = "# Rendered from deploy/k8s/base by `python -m deploy.aca`: edit there.\n"


def render(documents: Sequence[Document]) -> dict[str, Document]:
    """By the name of the app, and the routes."""
    apps = {each["metadata"]["name"]: _app(each, documents) for each in of_kind(documents, "Deployment")}
    return {**apps, ROUTES: _routes(documents)}


def _app(deployment: Document, documents: Sequence[Document]) -> Document:
    name, spec = deployment["metadata"]["name"], pod(deployment)
    template = {
        "terminationGracePeriodSeconds": spec["terminationGracePeriodSeconds"],
        "initContainers": [_container(each, documents) for each in spec.get("initContainers", [])],
        "containers": [_container(each, documents) for each in spec["containers"]],
        "scale": _scale(name, documents),
        "volumes": [_volume(each) for each in spec.get("volumes", [])],
    }
    app = {
        "properties": {
            "configuration": {
                "activeRevisionsMode": "Single",
                "maxInactiveRevisions": KEPT_REVISIONS,
                "ingress": _ingress(name, spec["containers"][0]),
            },
            "template": {key: value for key, value in template.items() if value},
        }
    }
    return {"kind": "functionapp", **app} if name in FUNCTION_APPS else app


def _volume(volume: Document) -> Document:
    if "emptyDir" not in volume:
        raise LookupError(f"the volume {volume['name']} is none that is rendered for Container Apps")
    return {"name": volume["name"], "storageType": "EmptyDir"}


def _ingress(name: str, container: Document) -> Document:
    return {
        "external": name in EXTERNAL,
        "targetPort": _port(container, "http"),
        "transport": "http",
        "allowInsecure": False,
    }


def _container(container: Document, documents: Sequence[Document]) -> Document:
    told = environment(documents, container)
    requests = container["resources"]["requests"]
    kept = {key: container[key] for key in ("name", "image", "command", "args") if key in container}
    rendered = {
        **kept,
        "env": [{"name": key, "value": told[key]} for key in sorted(told)],
        "resources": {"cpu": float(cores(requests["cpu"])), "memory": f"{gibibytes(requests['memory']):f}Gi"},
        "volumeMounts": [
            {"volumeName": each["name"], "mountPath": each["mountPath"]} for each in container.get("volumeMounts", [])
        ],
        "probes": [
            _probe(kind, container[f"{kind.lower()}Probe"], container)
            for kind in ("Startup", "Readiness", "Liveness")
            if f"{kind.lower()}Probe" in container
        ],
    }
    return {key: value for key, value in rendered.items() if value}


def _probe(kind: str, probe: Document, container: Document) -> Document:
    asked = {**probe["httpGet"], "port": _port(container, probe["httpGet"]["port"])}
    return {"type": kind, **probe, "httpGet": asked}


def _port(container: Document, port: str | int) -> int:
    """Container Apps knows ports by number only."""
    numbers = {each["name"]: int(each["containerPort"]) for each in container["ports"]}
    return port if isinstance(port, int) else numbers[port]


def _scale(name: str, documents: Sequence[Document]) -> Document:
    scaler = named(documents, "ScaledObject", name)
    if scaler is None:
        raise LookupError(f"nothing scales {name}")
    spec = scaler["spec"]
    limits = {"minReplicas": spec["minReplicaCount"], "maxReplicas": spec["maxReplicaCount"]}
    if name in FUNCTION_APPS:
        return limits
    concurrent = scaler["metadata"]["annotations"][CONCURRENT_REQUESTS]
    triggers = {each["type"]: _trigger(each) for each in spec["triggers"]}
    queue = [{"name": "queue", "custom": triggers["azure-servicebus"]}] if "azure-servicebus" in triggers else []
    return {
        **limits,
        "pollingInterval": spec["pollingInterval"],
        "cooldownPeriod": spec["cooldownPeriod"],
        "rules": [
            *queue,
            # Where replicas keep up nothing waits, and they must not be taken away for that.
            {"name": "processor", "custom": triggers["cpu"]},
            {"name": "http", "http": {"metadata": {"concurrentRequests": concurrent}}},
        ],
    }


def _trigger(trigger: Document) -> Document:
    """Container Apps has what KEDA calls `metricType` among the metadata."""
    kind = {"type": trigger["metricType"]} if "metricType" in trigger else {}
    return {"type": trigger["type"], "metadata": {**kind, **trigger["metadata"]}}


def _routes(documents: Sequence[Document]) -> Document:
    route = named(documents, "HTTPRoute", "store")
    rules = route["spec"]["rules"] if route else []
    return {"rules": [_rule(rule) for rule in rules if rule["backendRefs"][0]["name"] not in NOT_AN_APP]}


def _rule(rule: Document) -> Document:
    action: dict[str, Any] = {}
    for each in rule.get("filters", []):
        action = {"action": {"prefixRewrite": each["urlRewrite"]["path"]["replacePrefixMatch"]}}
    return {
        "targets": [{"containerApp": each["name"]} for each in rule["backendRefs"]],
        "routes": [
            {"match": {"pathSeparatedPrefix": each["path"]["value"], "caseSensitive": True}, **action}
            for each in rule["matches"]
        ],
    }


def texts(specs: Mapping[str, Document]) -> dict[str, str]:
    """As files, by name."""
    return {f"{name}.yaml": HEADING + yaml.safe_dump(spec, sort_keys=False, width=120) for name, spec in specs.items()}


def drift(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """What differs from the files there, as a diff; a file too many counts, too."""
    found = {path.name: path.read_text() for path in folder.glob("*.yaml")}
    return [line for name in sorted({*found, *wanted}) for line in _diff(name, found.get(name), wanted.get(name))]


def _diff(name: str, found: str | None, wanted: str | None) -> Iterable[str]:
    before, after = ((text or "").splitlines(keepends=True) for text in (found, wanted))
    return difflib.unified_diff(before, after, f"committed/{name}", f"rendered/{name}")


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    for path in folder.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser("python -m deploy.aca", description="Renders deploy/k8s/aca from deploy/k8s/base.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; show what differs, and fail if anything does"
    )
    asked = parser.parse_args()
    folder, wanted = MANIFESTS / "aca", texts(render(kustomize(MANIFESTS / "base")))
    if not asked.check:
        write(folder, wanted)
    elif changes := drift(folder, wanted):
        sys.stdout.writelines(changes)
        sys.exit("deploy/k8s/aca is not what deploy/k8s/base renders to: run `python -m deploy.aca`")


if __name__ == "__main__":
    main()
