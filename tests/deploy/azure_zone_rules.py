"""What the platform and the apps must keep to where they are to survive the loss of a zone."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.deploy.azure_plans import SETTINGS, Faults, Thing, made, one, planned

APPS, NETWORKS = "Microsoft.App/managedEnvironments", "Microsoft.Network/virtualNetworks"
LEAST_ADDRESSES = 32  # Container Apps takes no subnet smaller than /27


def network(root: Path) -> Faults:
    """An environment in several zones is in a subnet that is its own; another needs none."""
    single = planned(root, "main.bicepparam")[0]
    if made(single, NETWORKS) or one(single, APPS).body["properties"].get("vnetConfiguration"):
        yield "there is a network that nobody asked for"
    things = planned(root, "main.bicepparam", ZONE_REDUNDANT="true")[0]
    said = one(things, APPS).body["properties"]
    subnets = {f"{thing.id}/subnets/{each['name']}": each for thing in _networks(things) for each in _subnets(thing)}
    found = subnets.get(str((said.get("vnetConfiguration") or {}).get("infrastructureSubnetId")))
    if not said["zoneRedundant"]:
        yield "the environment is in one zone"
    if found is None:
        yield "the environment is in no network of ours, and Azure refuses it in several zones"
        return
    if ip_network(found["properties"]["addressPrefix"]).num_addresses < LEAST_ADDRESSES:
        yield f"subnet {found['name']} is smaller than /27"
    if [each["properties"]["serviceName"] for each in found["properties"].get("delegations", [])] != [
        "Microsoft.App/environments"
    ]:
        yield f"subnet {found['name']} is not left to Container Apps"


def _networks(things: list[Thing]) -> list[Thing]:
    return list(made(things, NETWORKS).values())


def _subnets(thing: Thing) -> list[Any]:
    return list(thing.body["properties"]["subnets"])


def replicas(root: Path) -> Faults:
    """Two at least where the environment is in several zones, else as many as the spec says."""
    for name in SETTINGS:
        app = one(planned(root, f"{name}.bicepparam")[0], "Microsoft.App/containerApps")
        least = str(app.body["properties"]["template"]["scale"]["minReplicas"])
        if not re.fullmatch(r"<\S+\.properties\.zoneRedundant \? ([2-9]|\d\d) : \d+>", least):
            yield f"{name}: its least replicas are {least}"
