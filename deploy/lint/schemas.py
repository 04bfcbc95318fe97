"""Documents against the schemas of Kubernetes, of CRDs and of Container Apps; what no schema knows is refused."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.lint.documents import ROOT, Document, title

SCHEMAS = ROOT.parent / "shared" / "schemas"  # not part of this repository
KUBERNETES = "1.36"
CUSTOM = frozenset({"keda.sh", "gateway.networking.k8s.io", "secrets-store.csi.x-k8s.io"})  # what CRDs bring
PRESERVES = "x-kubernetes-preserve-unknown-fields"


def check_core_kinds(documents: Sequence[Document]) -> Iterator[str]:
    """Of all that no CRD brings."""
    import kubernetes_validate as kubernetes

    for document in documents:
        if not _is_custom(document):
            try:
                kubernetes.validate(document, KUBERNETES, strict=True)
            except kubernetes.ValidationError as error:
                yield f"{title(document)}: {'.'.join(map(str, error.path))}: {error.message}"
            except kubernetes.SchemaNotFoundError as error:
                yield f"{title(document)}: {error.message}"


def check_custom_kinds(documents: Sequence[Document], folder: Path = SCHEMAS) -> Iterator[str]:
    definitions = _definitions(folder / "crds")
    for document in documents:
        if _is_custom(document):
            schema = definitions.get((document["apiVersion"], document["kind"]))
            if schema is None:
                yield f"{title(document)}: there is no {document['apiVersion']} {document['kind']}"
            else:
                yield from _errors(title(document), document, schema)


def check_app_schema(name: str, app: Document, folder: Path = SCHEMAS) -> Iterator[str]:
    """Where it is comes from Bicep."""
    schema = json.loads((folder / "aca-containerapp.schema.json").read_text())
    yield from _errors(name, {"name": name, "location": "anywhere", **app}, schema)


def check_routes_schema(routes: Document, folder: Path = SCHEMAS) -> Iterator[str]:
    schema = json.loads((folder / "aca-httprouteconfig.schema.json").read_text())
    yield from _errors("routes", {"name": "routes", "properties": routes}, schema)


def scalers(folder: Path = SCHEMAS) -> Mapping[str, Any]:
    """KEDA's own list."""
    listed: Mapping[str, Any] = json.loads((folder / "keda-scalers.json").read_text())
    return listed


def _is_custom(document: Document) -> bool:
    return document["apiVersion"].partition("/")[0] in CUSTOM


@cache
def _definitions(folder: Path) -> Mapping[tuple[str, str], Document]:
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        spec = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            found[key] = _strict(version["schema"]["openAPIV3Schema"])
    return found


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """As the API server's own check of fields does it: a field that is not declared is unknown."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {name: _strict(each) for name, each in schema["properties"].items()}
        if not schema.get(PRESERVES):
            strict.setdefault("additionalProperties", False)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            strict[keyword] = _strict(schema[keyword])
    return strict


def _errors(where: str, document: Document, schema: Mapping[str, Any]) -> Iterator[str]:
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    for error in sorted(validator.iter_errors(document), key=str):
        yield f"{where}: {'.'.join(map(str, error.path))}: {error.message}"
