"""Starting and stopping: probes within what Container Apps takes, and time enough to finish what is in hand."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.lint.documents import Document, containers, environment, of_kind, pod, title
from deploy.lint.ports import PROBES
from libs.common.serving import SHUTDOWN_SECONDS

RANGES = {
    "failureThreshold": (1, 10),
    "initialDelaySeconds": (1, 60),
    "periodSeconds": (1, 240),
    "successThreshold": (1, 10),
    "timeoutSeconds": (1, 240),
}
LONGEST_GRACE_SECONDS = 600
PROBED = {"httpGet", "tcpSocket"}


def check_lifecycles(documents: Sequence[Document]) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        grace = pod(deployment).get("terminationGracePeriodSeconds", 30)
        for where, container in containers(deployment):
            for kind in PROBES:
                yield from _probe(f"{where}.{kind}", kind.removesuffix("Probe"), container.get(kind))
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            yield from _grace(title(deployment), grace, pause, environment(documents, container))
        unavailable = deployment["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable")
        if unavailable != 0:
            yield f"{title(deployment)}: rollingUpdate.maxUnavailable: {unavailable} is not 0"


def check_app_lifecycle(name: str, app: Document) -> Iterator[str]:
    template = app["properties"]["template"]
    for container in template["containers"]:
        for probe in container.get("probes", []):
            kind = str(probe.get("type"))
            where = f"{name}: containers.{container['name']}.probes.{kind}"
            if kind not in ("Startup", "Readiness", "Liveness"):
                yield f"{where}: Container Apps has no such probe"
            yield from _probe(where, kind.lower(), probe)
        told = {each["name"]: each.get("value", "") for each in container.get("env", [])}
        yield from _grace(name, template.get("terminationGracePeriodSeconds", 30), 0, told)


def _probe(where: str, kind: str, probe: Document | None) -> Iterator[str]:
    if probe is None:
        return
    for field, (least, most) in RANGES.items():
        value: Any = probe.get(field)
        if value is not None and not least <= value <= most:
            yield f"{where}.{field}: {value} is not between {least} and {most}"
    if len(PROBED & probe.keys()) != 1:
        yield f"{where}: exactly one of httpGet and tcpSocket is needed; Container Apps has no other"
    if kind in ("startup", "liveness") and probe.get("successThreshold", 1) != 1:
        yield f"{where}.successThreshold: is not 1"


def _grace(where: str, grace: int, pause: float, told: Mapping[str, str]) -> Iterator[str]:
    needed = pause + float(told.get("DRAIN_SECONDS", 0)) + SHUTDOWN_SECONDS
    if grace < needed:
        yield f"{where}: terminationGracePeriodSeconds: {grace} is less than the {needed:g} that stopping may take"
    if grace > LONGEST_GRACE_SECONDS:
        yield f"{where}: terminationGracePeriodSeconds: {grace} is more than Container Apps waits"
