"""Documents against the schemas of Kubernetes, of CRDs and of Container Apps; what no schema knows is refused."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from deploy import schemas
from deploy.lint.documents import Document, title

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


def check_custom_kinds(documents: Sequence[Document]) -> Iterator[str]:
    definitions = _definitions()
    for document in documents:
        if _is_custom(document):
            kind = f"{document['apiVersion']} {document['kind']}"
            if kind not in definitions:
                yield f"{title(document)}: there is no {kind} in deploy/schemas"
            else:
                yield from _errors(title(document), document, definitions[kind])


def check_app_schema(name: str, app: Document) -> Iterator[str]:
    """Where it is comes from Bicep."""
    yield from _errors(name, {"name": name, "location": "anywhere", **app}, schemas.read("container-app"))


def check_routes_schema(routes: Document) -> Iterator[str]:
    yield from _errors("routes", {"name": "routes", "properties": routes}, schemas.read("container-app-routes"))


def _is_custom(document: Document) -> bool:
    return document["apiVersion"].partition("/")[0] in CUSTOM


@cache
def _definitions() -> Mapping[str, Document]:
    return {kind: _strict(schema) for kind, schema in schemas.read("extensions").items()}


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
