"""The manifests, rendered once. What can't be checked is skipped, and the summary says so."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.lint import documents, schemas
from deploy.lint.documents import MANIFESTS, ROOT, Document
from localcloud import topology
from localcloud.topology import Topology
from tests.deploy.azure_stand_ins import Cloud, stand_in

Rendered = Callable[[str], list[Document]]


@pytest.fixture(scope="session")
def store() -> Topology:
    return topology.load(ROOT / "deploy" / "topology.yaml")


@pytest.fixture(scope="session")
def rendered() -> Rendered:
    """A folder below deploy/k8s. Whoever changes the documents copies them first."""
    known: dict[str, list[Document]] = {}

    def render(folder: str) -> list[Document]:
        if folder not in known:
            try:
                known[folder] = documents.kustomize(MANIFESTS / folder)
            except documents.Missing as reason:
                pytest.skip(str(reason))
        return known[folder]

    return render


@pytest.fixture(scope="session")
def validators() -> None:
    """Kubernetes' own schemas are in a package."""
    for package in ("jsonschema", "kubernetes_validate"):
        pytest.importorskip(package, reason=f"{package} is not installed: `uv sync --group deploy`")


@pytest.fixture(scope="session")
def schema_folder(validators: None) -> Path:
    """Those of CRDs, KEDA and Container Apps are not part of this repository."""
    if not schemas.SCHEMAS.is_dir():
        pytest.skip("the schemas of CRDs, KEDA and Container Apps are not beside this repository (../shared/schemas)")
    return schemas.SCHEMAS


@pytest.fixture
def cloud(tmp_path: Path, store: Topology) -> Cloud:
    """What azd's hooks talk to."""
    return stand_in(tmp_path, store.secrets)
