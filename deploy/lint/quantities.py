"""Quantities of processor and memory: they can be read, and Container Apps takes the pair."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from deploy.lint.documents import Document, containers, of_kind

GIBIBYTES = {"Ki": Decimal(1) / 1024**2, "Mi": Decimal(1) / 1024, "Gi": Decimal(1)}
SMALLEST, LARGEST = Decimal("0.25"), Decimal(4)  # cores, in steps of the smallest; the memory is twice that in Gi


def cores(quantity: Any) -> Decimal:
    """Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is no number of cores")
    return Decimal(match[1]) / (1000 if match[2] else 1)


def gibibytes(quantity: Any) -> Decimal:
    """Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi)", str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is no size of memory")
    return (Decimal(match[1]) * GIBIBYTES[match[2]]).normalize()


def check_quantities(documents: Sequence[Document]) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        for where, container in containers(deployment):
            yield from _pair(where, container.get("resources", {}).get("requests", {}))
            yield from _limit(where, container.get("resources", {}))


def check_app_quantities(name: str, app: Document) -> Iterator[str]:
    template = app["properties"]["template"]
    for kind in ("initContainers", "containers"):
        for container in template.get(kind, []):
            resources, where = container.get("resources", {}), f"{name}: {kind}.{container['name']}"
            yield from _pair(where, resources)
            if not isinstance(resources.get("cpu"), int | float):
                yield f"{where}.resources.cpu: {resources.get('cpu')!r} is no number"


def _pair(where: str, asked: Document) -> Iterator[str]:
    try:
        cpu, memory = cores(asked.get("cpu")), gibibytes(asked.get("memory"))
    except ValueError as error:
        yield f"{where}.resources: {error}"
        return
    if cpu % SMALLEST or not SMALLEST <= cpu <= LARGEST or memory != 2 * cpu:
        yield f"{where}.resources: {asked['cpu']} with {asked['memory']} is no pair that Container Apps takes"


def _limit(where: str, resources: Document) -> Iterator[str]:
    """Memory that was not asked for is the first to be taken away."""
    asked, limit = resources.get("requests", {}).get("memory"), resources.get("limits", {}).get("memory")
    if asked != limit:
        yield f"{where}.resources.limits.memory: {limit} is not the {asked} that is asked for"
