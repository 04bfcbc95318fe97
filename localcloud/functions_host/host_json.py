"""`host.json`: what the app asks of the host. What is not read here is the business of the host in Azure."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from localcloud.functions_host.bindings import TimeSpan


class Http(Struct, frozen=True, rename="camel"):
    route_prefix: str = "api"


class ServiceBus(Struct, frozen=True, rename="camel"):
    auto_complete_messages: bool = True
    max_concurrent_calls: int = 16
    max_auto_lock_renewal_duration: TimeSpan = "00:05:00"


class Extensions(Struct, frozen=True, rename="camel"):
    http: Http = field(default_factory=Http)
    service_bus: ServiceBus = field(default_factory=ServiceBus)


class HostJson(Struct, frozen=True, rename="camel"):
    version: Literal["2.0"]
    function_timeout: TimeSpan = "00:05:00"
    extensions: Extensions = field(default_factory=Extensions)


def read(folder: Path) -> HostJson:
    """Raises FileNotFoundError, or msgspec.DecodeError naming the field that is wrong."""
    return msgspec.json.decode((folder / "host.json").read_bytes(), type=HostJson)
