"""Who tells what and who hears it, as the code and the topology say it."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import msgspec

from libs.common import messages
from libs.common.messages import Command, Fact, Message
from libs.common.messages.views import heard
from libs.common.openapi.parts import cleaned
from localcloud.topology import Subscription, Topology

SERVICES = ("catalog", "orders", "customers")


def kinds() -> dict[str, type[Message]]:
    """Every message by its name on the wire."""
    found = {}
    for module in pkgutil.iter_modules(messages.__path__, f"{messages.__name__}."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, Message) and isinstance(getattr(kind, "type", None), str):
                found[kind.type] = kind
    return dict(sorted(found.items()))


def reads(store: Topology) -> dict[str, dict[str, Any]]:
    """By consumer, by message: the type as which it reads it."""
    services = {service: dict(_read_by_service(service)) for service in SERVICES}
    functions = {each.to.function: dict(_read_by_function(each)) for each in store.subscriptions if each.to.function}
    return services | dict(sorted(functions.items()))


def _read_by_service(service: str) -> Iterator[tuple[str, type[Message]]]:
    reactions = importlib.import_module(f"services.{service}.reactions").REACTIONS
    for kind, reaction in sorted(reactions.items(), key=lambda entry: entry[0].type):
        yield kind.type, heard(kind, reaction)


def _read_by_function(subscription: Subscription) -> Iterator[tuple[str, type[Message]]]:
    """Facts from elsewhere, e.g. Azure Storage's, are not ours to describe."""
    ours, says = kinds(), function(subscription.to.function or "")
    views = {each.type: each for each in getattr(says, "HEARD", ())}
    for name in sorted(set(subscription.types) & set(ours)):
        yield name, views.get(name, ours[name])


def function(name: str) -> ModuleType:
    return importlib.import_module(f"functions.{name}")


def sent_by(name: str) -> list[str]:
    """The commands that a function knows: it can send no others."""
    known = vars(function(name)).values()
    return sorted(
        each.type for each in known if inspect.isclass(each) and issubclass(each, Command) and hasattr(each, "type")
    )


def told_by(service: str) -> list[str]:
    return [name for name, kind in kinds().items() if issubclass(kind, Fact) and kind.owner() == service]


def schema(kind: Any) -> dict[str, Any]:
    """Of what stands in the CloudEvent's `data`, or in the body of an answer."""
    whole = cleaned(msgspec.json.schema(kind))
    inner = whole.pop("$defs", {})
    top: dict[str, Any] = inner.pop(whole["$ref"].rpartition("/")[2])
    return top | ({"$defs": inner} if inner else {})


def schemas() -> Mapping[str, dict[str, Any]]:
    return {
        name: {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{name}.json"} | schema(kind)
        for name, kind in kinds().items()
    }
