"""Bicep's own functions, as many as deploy/azure uses."""

import hashlib
import json
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import yaml

from deploy.azure.expressions import Value, Wrong

GROUP = "/subscriptions/s/resourceGroups/g"
CLOUD = {
    "suffixes": {
        "storage": "core.windows.net",
        "keyvaultDns": ".vault.azure.net",
        "sqlServerHostname": ".database.windows.net",
    },
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
}


def union(*values: Value) -> Value:
    """Of arrays: each item once. Of objects: the last one's word counts; objects in them are united likewise."""
    if isinstance(values[0], list):
        together = [item for value in values for item in value]
        return [item for number, item in enumerate(together) if item not in together[:number]]
    out: dict[str, Value] = {}
    for value in values:
        for key, item in value.items():
            both = isinstance(out.get(key), Mapping) and isinstance(item, Mapping)
            out[key] = union(out[key], item) if both else item
    return out


def to_object(items: list[Value], key: Callable[..., str], value: Callable[..., Value] = lambda item: item) -> Value:
    return {key(item): value(item) for item in items}


PURE: dict[str, Callable[..., Value]] = {
    "bool": lambda said: {"true": True, "false": False}[said.lower()],
    "concat": lambda *lists: [item for each in lists for item in each],
    "contains": operator.contains,
    "empty": lambda value: not value,
    "endsWith": lambda value, end: value.endswith(end),
    "filter": lambda items, keep: [item for item in items if keep(item)],
    "flatten": lambda lists: [item for each in lists for item in each],
    "guid": lambda *parts: str(uuid5(NAMESPACE_URL, "|".join(parts))),
    "indexOf": lambda items, item: items.index(item) if item in items else -1,
    "items": lambda owner: [{"key": key, "value": owner[key]} for key in sorted(owner)],
    "json": json.loads,
    "length": len,
    "map": lambda items, change: [change(item) for item in items],
    "max": max,
    "objectKeys": sorted,
    "replace": lambda value, old, new: value.replace(old, new),
    "split": lambda value, at: value.split(at),
    "resourceGroup": lambda: {"id": GROUP, "location": "westeurope"},
    "resourceId": lambda kind, name: f"{GROUP}/{kind}/{name}",
    "skip": lambda value, count: value[count:],
    "startsWith": lambda value, start: value.startswith(start),
    "string": str,
    "subscriptionResourceId": lambda kind, name: f"/providers/{kind}/{name}",
    "take": lambda value, count: value[:count],
    "tenant": lambda: {"tenantId": "11111111-1111-4111-8111-111111111111"},
    "toLower": str.lower,
    "toObject": to_object,
    "union": union,
    "uniqueString": lambda *parts: hashlib.sha256("|".join(parts).encode()).hexdigest()[:13],
}


def builtin(name: str, folder: Path, environment: Mapping[str, str]) -> Value:
    """Raises Wrong where there is none of that name."""
    reading: dict[str, Value] = {
        "az": {"environment": lambda: CLOUD},
        "environment": lambda: CLOUD,
        "loadJsonContent": lambda path: json.loads(read(folder / path)),
        "loadYamlContent": lambda path: yaml.safe_load(read(folder / path)),
        "readEnvironmentVariable": lambda *said: _variable(environment, *said),
    }
    found = reading.get(name, PURE.get(name))
    if found is None:
        raise Wrong(f"{name} does not exist")
    return found


def _variable(environment: Mapping[str, str], key: str, default: str | None = None) -> str:
    found = environment.get(key, default)
    if found is None:
        raise Wrong(f"{key} is not set")
    return found


def read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as missing:
        raise Wrong(f"{path.name} is not there") from missing
