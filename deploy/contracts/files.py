"""The contracts as files: made of the code, committed, and compared with what was released."""

import importlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.contracts import asyncapi, conversation
from deploy.contracts.conversation import SERVICES
from functions import api
from libs.common import openapi
from localcloud import topology

ROOT = Path(__file__).parents[2]
RELEASED = (
    "contracts/released"  # stands in for a release where there is none yet, or one from before there were contracts
)
CONSUMERS = "contracts/consumers.json"

Files = dict[str, Any]  # by path


def made() -> Files:
    """What should be committed."""
    store = topology.load(ROOT / "deploy" / "topology.yaml")
    routes = {each: importlib.import_module(f"services.{each}.routes").routes for each in SERVICES}
    return {
        **{f"services/{each}/openapi.json": openapi.document(each, routes[each]) for each in SERVICES},
        "contracts/asyncapi.json": asyncapi.document(store),
        **{f"contracts/messages/{name}.json": schema for name, schema in conversation.schemas().items()},
        CONSUMERS: {
            who: {name: conversation.schema(kind) for name, kind in sorted(heard.items())}
            for who, heard in (conversation.reads(store) | {"functions": api.READS}).items()
        },
    }


def written(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Contracts:
    """What a comparison needs of a version."""

    http: Mapping[str, Any]  # by service
    messages: Mapping[str, Any]
    consumers: Mapping[str, Any]


def now() -> Contracts:
    files = made()
    messages = {name: files[f"contracts/messages/{name}.json"] for name in conversation.kinds()}
    return Contracts({each: files[f"services/{each}/openapi.json"] for each in SERVICES}, messages, files[CONSUMERS])


def released() -> Contracts:
    """Each service's own, as of its last tag `<service>-v…`; and the messages as of their owner's."""
    http = {each: _released(each, f"services/{each}/openapi.json") for each in SERVICES}
    messages = {name: _released(name.split(".")[1], f"contracts/messages/{name}.json") for name in _listed()}
    return Contracts(http, messages, json.loads((ROOT / RELEASED / CONSUMERS).read_text()))


def _listed() -> list[str]:
    committed = {path.stem for path in (ROOT / RELEASED / "contracts/messages").glob("*.json")}
    tagged = [
        path
        for each in SERVICES
        if (tag := _tag(each))
        for path in _git("ls-tree", "--name-only", tag, "contracts/messages/")
    ]
    return sorted(committed | {Path(path).stem for path in tagged})


def _released(service: str, path: str) -> Any:
    tag = _tag(service)
    found = "".join(_git("show", f"{tag}:{path}")) if tag else ""
    return json.loads(found or (ROOT / RELEASED / path).read_text())


def _tag(service: str) -> str:
    return next(iter(_git("tag", "--list", f"{service}-v*", "--sort=-version:refname")), "")


def _git(*said: str) -> list[str]:
    """Nothing where there is no repository, or no such thing in it."""
    ran = subprocess.run(["git", *said], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    return ran.stdout.splitlines() if ran.returncode == 0 else []
