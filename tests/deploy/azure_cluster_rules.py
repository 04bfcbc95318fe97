"""What the platform must keep to for pods on AKS; they are taken from the manifests that are applied there."""

import functools
from collections.abc import Iterator
from pathlib import Path

import yaml

from deploy.lint.documents import MANIFESTS, Document, kustomize, named, of_kind, pod
from tests.deploy.azure_plans import ENVIRONMENT, SUBSCRIPTIONS, Faults, made, planned, topology_of

FEDERATED = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
KEDA = ("platform", "system:serviceaccount:kube-system:keda-operator")


@functools.cache
def applied() -> list[Document]:
    """Raises documents.Missing."""
    return kustomize(MANIFESTS / "overlays/aks")


def mounted() -> Iterator[tuple[str, str]]:
    """Who mounts which secret of Key Vault."""
    for deployment in of_kind(applied(), "Deployment"):
        for volume in pod(deployment).get("volumes", []):
            name = volume.get("csi", {}).get("volumeAttributes", {}).get("secretProviderClass")
            provider = named(applied(), "SecretProviderClass", name) if name else None
            for told in yaml.safe_load(provider["spec"]["parameters"]["objects"])["array"] if provider else []:
                yield pod(deployment)["serviceAccountName"], yaml.safe_load(told)["objectName"]


def pods(root: Path) -> Faults:
    """Each ServiceAccount is let in as the identity of its name, and KEDA as the platform; nobody else is."""
    accounts = [each["metadata"] for each in of_kind(applied(), "ServiceAccount")]
    wanted = {KEDA} | {(each["name"], f"system:serviceaccount:{each['namespace']}:{each['name']}") for each in accounts}
    found = set()
    for thing in planned(root, "aks.bicepparam")[0]:
        if thing.made and thing.type == FEDERATED:
            said = thing.body["properties"]
            found.add((thing.path.split("/")[0], said["subject"]))
            if (said["issuer"], said["audiences"]) != (ENVIRONMENT["AKS_ISSUER"], ["api://AzureADTokenExchange"]):
                yield f"{thing.path} takes the tokens of {said['issuer']} for {said['audiences']}"
    yield from (f"{who} may not come in as {subject}" for who, subject in sorted(wanted - set(found)))
    yield from (f"too much: {subject} comes in as {who}" for who, subject in sorted(found - wanted))


def calls(root: Path) -> Faults:
    """Event Grid calls the functions in the cluster once it is told where they are, and not before."""
    before = planned(root, "aks.bicepparam")[0]
    if any(made(before, kind) for kind in SUBSCRIPTIONS):
        yield "functions are called before they run"
    things = planned(root, "aks.bicepparam", AKS_HOST="store.example.com")[0]
    found = {name: thing for kind in SUBSCRIPTIONS for name, thing in made(things, kind).items()}
    wanted = {each["name"] for each in topology_of(root)["subscriptions"] if "function" in each["to"]}
    yield from (f"{name} is called by nobody" for name in sorted(wanted - set(found)))
    for name, thing in found.items():
        url = thing.body["properties"]["destination"]["properties"]["endpointUrl"]
        if not url.startswith("https://store.example.com/runtime/webhooks/EventGrid?"):
            yield f"{name} calls {url}"
