"""`host.json` and `local.settings.json`: what the app asks of the host. What is not read here is Azure's business."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from localcloud.functions_host.timespan import PATTERN, TimeSpan, seconds

UNLIMITED = "-1"


class Http(Struct, frozen=True, rename="camel"):
    route_prefix: str = "api"
    max_outstanding_requests: int = -1


class ServiceBus(Struct, frozen=True, rename="camel"):
    auto_complete_messages: bool = True
    max_concurrent_calls: Annotated[int, Meta(ge=1, le=1000)] = 16
    max_auto_lock_renewal_duration: TimeSpan = "00:05:00"
    max_concurrent_sessions: Annotated[int, Meta(ge=1, le=1000)] = 8
    max_concurrent_calls_per_session: Annotated[int, Meta(ge=1, le=1)] = 1  # more would not keep a session's order
    session_idle_timeout: TimeSpan = "00:01:00"
    prefetch_count: Annotated[int, Meta(ge=0, le=10_000)] = 0
    max_message_batch_size: Annotated[int, Meta(ge=1, le=10_000)] = 1000

    def __post_init__(self) -> None:
        if not seconds(self.session_idle_timeout):
            raise ValueError("sessionIdleTimeout must be longer than nothing")


class Extensions(Struct, frozen=True, rename="camel"):
    http: Http = field(default_factory=Http)
    service_bus: ServiceBus = field(default_factory=ServiceBus)


class HostJson(Struct, frozen=True, rename="camel"):
    version: Literal["2.0"]
    function_timeout: Annotated[str, Meta(pattern=f"^-1$|{PATTERN}")] = "00:05:00"
    extensions: Extensions = field(default_factory=Extensions)

    @property
    def timeout(self) -> float | None:
        """Seconds."""
        return None if self.function_timeout == UNLIMITED else seconds(self.function_timeout)


class LocalSettings(Struct, frozen=True, rename="pascal"):
    is_encrypted: Literal[False] = False
    values: dict[str, str] = {}


def read(folder: Path) -> HostJson:
    """Raises FileNotFoundError, or msgspec.DecodeError naming the field that is wrong."""
    return msgspec.json.decode((folder / "host.json").read_bytes(), type=HostJson)


def local_settings(folder: Path) -> dict[str, str]:
    """What `func start` would put into the environment. Raises msgspec.DecodeError."""
    file = folder / "local.settings.json"
    return msgspec.json.decode(file.read_bytes(), type=LocalSettings).values if file.is_file() else {}
