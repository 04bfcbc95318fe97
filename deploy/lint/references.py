"""What is referred to by name exists: ConfigMaps, Secrets, ServiceAccounts, and what others bring to Kubernetes."""

from collections.abc import Iterator, Sequence

from deploy.lint.documents import Document, containers, of_kind, pod, title

Reference = tuple[str, str, str]  # where, kind, name


def check_references(documents: Sequence[Document]) -> Iterator[str]:
    known = {(each["kind"], each["metadata"]["name"]) for each in documents} | set(_synced(documents))
    for where, kind, name in _references(documents):
        if (kind, name) not in known:
            yield f"{where}: there is no {kind}/{name}"


def _synced(documents: Sequence[Document]) -> Iterator[tuple[str, str]]:
    """The Secrets that the Secrets Store CSI driver makes."""
    for provider in of_kind(documents, "SecretProviderClass"):
        for secret in provider["spec"].get("secretObjects", []):
            yield "Secret", secret["secretName"]


def _references(documents: Sequence[Document]) -> Iterator[Reference]:
    for deployment in of_kind(documents, "Deployment"):
        yield from _of_pod(deployment)
        for where, container in containers(deployment):
            yield from _of_container(where, container)
    for scaler in of_kind(documents, "ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            if "authenticationRef" in trigger:
                yield (
                    f"{title(scaler)}: authenticationRef",
                    "TriggerAuthentication",
                    trigger["authenticationRef"]["name"],
                )
    for gateway in of_kind(documents, "Gateway"):
        for listener in gateway["spec"]["listeners"]:
            for each in listener.get("tls", {}).get("certificateRefs", []):
                yield f"{title(gateway)}: listeners.{listener['name']}.tls", "Secret", each["name"]


def _of_pod(deployment: Document) -> Iterator[Reference]:
    spec, where = pod(deployment), title(deployment)
    yield f"{where}: serviceAccountName", "ServiceAccount", spec.get("serviceAccountName", "default")
    for volume in spec.get("volumes", []):
        at = f"{where}: volumes.{volume['name']}"
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield at, "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume and not volume["secret"].get("optional"):
            yield at, "Secret", volume["secret"]["secretName"]
        if "csi" in volume:
            yield at, "SecretProviderClass", volume["csi"]["volumeAttributes"]["secretProviderClass"]


def _of_container(where: str, container: Document) -> Iterator[Reference]:
    kinds = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
    keys = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
    for source in container.get("envFrom", []):
        yield from ((f"{where}.envFrom", kind, source[key]["name"]) for key, kind in kinds.items() if key in source)
    for each in container.get("env", []):
        source = each.get("valueFrom", {})
        at = f"{where}.env.{each['name']}"
        yield from ((at, kind, source[key]["name"]) for key, kind in keys.items() if key in source)


def check_mounts(documents: Sequence[Document]) -> Iterator[str]:
    for deployment in of_kind(documents, "Deployment"):
        volumes = {volume["name"] for volume in pod(deployment).get("volumes", [])}
        for where, container in containers(deployment):
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{where}.volumeMounts: there is no volume {mount['name']}"
