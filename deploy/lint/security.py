"""Pods ask for no more than Pod Security's `restricted` allows, and for what this house adds to it."""

import re
from collections.abc import Iterator, Sequence

from deploy.lint.documents import Document, containers, of_kind, pod, title

USER = 10001
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
HOST = ("hostNetwork", "hostPID", "hostIPC")
OF_THE_POD = {"privileged", "runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "procMount"}
LEVEL = "pod-security.kubernetes.io/enforce"


def check_security(documents: Sequence[Document]) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        yield from (f"{title(deployment)}: {said}" for said in _pod(pod(deployment)))
        for where, container in containers(deployment):
            yield from (f"{where}.{said}" for said in _container(container))
    for account in of_kind(documents, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{title(account)}: automountServiceAccountToken: is not false"
    homes = {deployment["metadata"].get("namespace") for deployment in of_kind(documents, "Deployment")}
    for namespace in of_kind(documents, "Namespace"):
        allowed = ("restricted",) if namespace["metadata"]["name"] in homes else ("restricted", "baseline")
        if namespace["metadata"].get("labels", {}).get(LEVEL) not in allowed:
            yield f"{title(namespace)}: metadata.labels: {LEVEL} is not {' or '.join(allowed)}"


def _pod(spec: Document) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        yield "securityContext.runAsNonRoot: is not true"
    if {context.get("runAsUser"), context.get("runAsGroup")} != {USER}:
        yield f"securityContext: runAsUser and runAsGroup are not {USER}"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "securityContext.seccompProfile: is not RuntimeDefault"
    if spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken: is not false"
    yield from (f"{field}: the host's is not for us" for field in HOST if spec.get(field))
    for volume in spec.get("volumes", []):
        if kinds := volume.keys() - VOLUMES - {"name"}:
            yield f"volumes.{volume['name']}: {', '.join(kinds)} is not allowed"


def _container(container: Document) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation: is not false"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "securityContext.capabilities: not all are dropped"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "securityContext.readOnlyRootFilesystem: is not true"
    for field in sorted(context.keys() & OF_THE_POD):
        yield f"securityContext.{field}: is said once, for the pod"
    yield from ("ports.hostPort: the host's is not for us" for port in container.get("ports", []) if "hostPort" in port)
    yield from check_image(container.get("image", ""))


def check_image(image: str) -> Iterator[str]:
    match = re.search(r"@sha256:[0-9a-f]{64}$|:([\w.-]+)$", image)
    if match is None or match[1] == "latest":
        yield f"image: {image} may be another one tomorrow; name a version or a digest"
