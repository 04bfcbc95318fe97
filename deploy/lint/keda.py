"""Scale rules: KEDA knows their keys, and the queue is one of the topology's."""

from collections.abc import Iterator, Mapping, Sequence

from deploy import schemas
from deploy.lint.documents import Document, of_kind, title
from localcloud.topology import Topology

METRIC_TYPE = "type"  # Container Apps takes it here; KEDA has it beside the metadata

Keys = Mapping[str, frozenset[str]]  # of the metadata, by type of scaler


def keys() -> Keys:
    """From KEDA's own list of scalers."""
    return {kind: frozenset(known) for kind, known in schemas.read("scalers").items()}


def check_scalers(documents: Sequence[Document], topology: Topology) -> Iterator[str]:
    for scaler in of_kind(documents, "ScaledObject"):
        spec, where = scaler["spec"], title(scaler)
        yield from _limits(where, spec["minReplicaCount"], spec["maxReplicaCount"])
        for trigger in spec["triggers"]:
            at = f"{where}: triggers.{trigger['type']}"
            yield from _queue(at, trigger["type"], trigger["metadata"], topology)
            if trigger["type"] == "azure-servicebus" and "authenticationRef" not in trigger:
                yield f"{at}: without authenticationRef it can't ask Service Bus"
            if trigger["type"] == "cpu" and not spec["minReplicaCount"]:
                yield f"{at}: can't wake what sleeps; minReplicaCount must be 1 or more"


def check_app_scale(name: str, app: Document, topology: Topology) -> Iterator[str]:
    scale = app["properties"]["template"]["scale"]
    yield from _limits(name, scale["minReplicas"], scale["maxReplicas"])
    for rule in scale.get("rules", []):
        if custom := rule.get("custom"):
            yield from _queue(f"{name}: rules.{rule['name']}", custom["type"], custom["metadata"], topology)
    if app.get("kind") == "functionapp" and "rules" in scale:
        yield f"{name}: scale.rules: the platform makes those of a functionapp, and takes no other"


def check_keys(documents: Sequence[Document], known: Keys) -> Iterator[str]:
    for scaler in of_kind(documents, "ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            yield from _keys(
                f"{title(scaler)}: triggers.{trigger['type']}", trigger["type"], trigger["metadata"], known
            )


def check_app_keys(name: str, app: Document, known: Keys) -> Iterator[str]:
    for rule in app["properties"]["template"]["scale"].get("rules", []):
        if custom := rule.get("custom"):
            metadata = {key: value for key, value in custom["metadata"].items() if key != METRIC_TYPE}
            yield from _keys(f"{name}: rules.{rule['name']}", custom["type"], metadata, known)
        if unknown := rule.get("http", {}).get("metadata", {}).keys() - {"concurrentRequests"}:
            yield f"{name}: rules.{rule['name']}.metadata: {', '.join(unknown)} is unknown to Container Apps"


def _keys(where: str, kind: str, metadata: Mapping[str, str], known: Keys) -> Iterator[str]:
    if kind not in known:
        yield f"{where}: KEDA has no such scaler"
    elif unknown := metadata.keys() - known[kind]:
        yield f"{where}.metadata: {', '.join(sorted(unknown))} is unknown to KEDA"


def _queue(where: str, kind: str, metadata: Mapping[str, str], topology: Topology) -> Iterator[str]:
    if kind != "azure-servicebus":
        return
    if metadata.get("queueName") not in topology.queues:
        yield f"{where}.metadata.queueName: the topology has no queue {metadata.get('queueName')}"
    if not metadata.get("namespace"):
        yield f"{where}.metadata.namespace: is needed where an identity asks"


def _limits(where: str, least: int, most: int) -> Iterator[str]:
    if not 0 <= least <= most or most < 1:
        yield f"{where}: {least} to {most} replicas"
