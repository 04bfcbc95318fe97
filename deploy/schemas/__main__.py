"""`python -m deploy.schemas <folder>`: takes what our checks read out of others' schemas, without their prose."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.lint.documents import MANIFESTS
from deploy.lint.schemas import CUSTOM
from deploy.schemas import FOLDER

BICEP = FOLDER.parent / "azure"
PROSE = frozenset({"description", "title", "examples", "$comment"})
WHOLE = {  # what all of is taken
    "azd.json": "azure.yaml.schema.json",
    "compose.json": "compose-spec.json",
    "container-app.json": "aca-containerapp.schema.json",
    "container-app-routes.json": "aca-httprouteconfig.schema.json",
}

Types = list[Mapping[str, Any]]


def used_types(folder: Path = BICEP) -> set[str]:
    """Of Azure's resources, with their versions."""
    texts = [path.read_text() for path in folder.rglob("*.bicep")]
    return {name for text in texts for name in re.findall(r"'(Microsoft[.\w/]+@[\w-]+)'", text)}


def used_kinds(folder: Path = MANIFESTS) -> set[str]:
    """Of Kubernetes' extensions, with their versions."""
    texts = [path.read_text() for path in folder.rglob("*.yaml")]
    said = [each for text in texts for each in re.findall(r"(?m)^apiVersion: (\S+)\nkind: (\S+)", text)]
    return {f"{version} {kind}" for version, kind in said if version.partition("/")[0] in CUSTOM}


def resource_types(folder: Path, names: Iterable[str]) -> dict[str, Types]:
    """Raises LookupError."""
    return {name: _resource_type(folder, name) for name in sorted(names)}


def _resource_type(folder: Path, name: str) -> Types:
    kind, _, version = name.lower().partition("@")
    for path in sorted(folder.rglob(f"{kind.partition('/')[0]}/{version}/*types.json")):
        types: Types = json.loads(path.read_text())
        for each in types:
            if each["$type"] == "ResourceType" and each["name"].lower() == name.lower():
                return closure(types, _number(each["body"]["$ref"]))
    raise LookupError(f"{name} is not in {folder}")


def closure(types: Types, body: int) -> Types:
    """The body and all that it needs, numbered anew from 0."""
    order = [body]
    for number in order:  # it grows meanwhile
        needed = map(_number, re.findall(r'"\$ref": "(#/\d+)"', json.dumps(types[number])))
        order += [each for each in dict.fromkeys(needed) if each not in order]
    places = {f"#/{number}": f"#/{place}" for place, number in enumerate(order)}
    return [_renumbered(types[number], places) for number in order]


def _number(reference: str) -> int:
    return int(reference.removeprefix("#/"))


def _renumbered(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: places[each] if key == "$ref" else _renumbered(each, places) for key, each in value.items()}
    return [_renumbered(each, places) for each in value] if isinstance(value, list) else value


def extensions(folder: Path, kinds: Iterable[str]) -> dict[str, Any]:
    """Raises KeyError."""
    specs = [yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"] for path in sorted(folder.glob("*.yaml"))]
    found = {
        f"{spec['group']}/{version['name']} {spec['names']['kind']}": version["schema"]["openAPIV3Schema"]
        for spec in specs
        for version in spec["versions"]
    }
    return {kind: found[kind] for kind in sorted(kinds)}


def scalers(listed: Mapping[str, Any]) -> dict[str, list[str]]:
    """The keys of each that KEDA reads and has not given up."""
    return {
        scaler["type"]: sorted(
            each["name"]
            for each in scaler["parameters"]
            if each.get("metadataVariableReadable") and "deprecated" not in each
        )
        for scaler in sorted(listed["scalers"], key=lambda each: str(each["type"]))
    }


def plain(value: Any) -> Any:
    """Without what only people read. A property may be called `description`, too: what it is stands in an object."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in PROSE or isinstance(each, dict)}
    return [plain(each) for each in value] if isinstance(value, list) else value


def write(name: str, entries: Mapping[str, Any]) -> None:
    """One line for each, so that a change shows what it changes."""
    lines = (f"{json.dumps(key)}:{json.dumps(plain(each), separators=(',', ':'))}" for key, each in entries.items())
    (FOLDER / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(source: Path) -> None:
    write("azure.json", resource_types(source / "bicep-types", used_types()))
    write("extensions.json", extensions(source / "crds", used_kinds()))
    write("scalers.json", scalers(json.loads((source / "keda-scalers.json").read_text())))
    for name, file in WHOLE.items():
        write(name, json.loads((source / file).read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
