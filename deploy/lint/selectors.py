"""What selects finds what it means: labels, ports, and what a scaler, a budget or a policy is for."""

from collections.abc import Iterator, Sequence
from typing import Any

from deploy.lint.documents import Document, named, of_kind, pod, pod_labels, title


def check_selectors(documents: Sequence[Document]) -> Iterator[str]:
    yield from _deployments(documents)
    yield from _found(documents, "Service", "selector")
    yield from _found(documents, "PodDisruptionBudget", "selector")
    yield from _found(documents, "NetworkPolicy", "podSelector")
    for budget in of_kind(documents, "PodDisruptionBudget"):
        if len({"minAvailable", "maxUnavailable"} & budget["spec"].keys()) != 1:
            yield f"{title(budget)}: spec: exactly one of minAvailable and maxUnavailable is needed"
    for scaler in of_kind(documents, "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        if named(documents, "Deployment", target) is None:
            yield f"{title(scaler)}: spec.scaleTargetRef: there is no Deployment/{target}"


def _deployments(documents: Sequence[Document]) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        labels = pod_labels(deployment)
        if not _selects(deployment["spec"]["selector"], labels):
            yield f"{title(deployment)}: spec.selector: does not select its own pods, {dict(labels)}"
        for spread in pod(deployment).get("topologySpreadConstraints", []):
            if not _selects(spread["labelSelector"], labels):
                yield f"{title(deployment)}: topologySpreadConstraints: does not select its own pods, {dict(labels)}"


def _found(documents: Sequence[Document], kind: str, field: str) -> Iterator[str]:
    for document in of_kind(documents, kind):
        selector = document["spec"].get(field)
        if selector is not None and not selected(documents, selector):
            yield f"{title(document)}: spec.{field}: selects no pod"


def selected(documents: Sequence[Document], selector: Document) -> list[Document]:
    """The Deployments whose pods it selects."""
    return [each for each in of_kind(documents, "Deployment") if _selects(selector, pod_labels(each))]


def _selects(selector: Document, labels: Document) -> bool:
    """A Service has the labels by themselves; all others, below matchLabels."""
    bare = not selector.keys() & {"matchLabels", "matchExpressions"}
    wanted: dict[str, Any] = dict(selector if bare else selector.get("matchLabels", {}))
    exact = all(labels.get(key) == value for key, value in wanted.items())
    return exact and all(_matches(each, labels) for each in selector.get("matchExpressions", []))


def _matches(expression: Document, labels: Document) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", [])
    known = {"In": value in values, "NotIn": value not in values, "Exists": value is not None}
    return known.get(expression["operator"], value is None)
