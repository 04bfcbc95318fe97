"""What a function is bound to, as the Python worker tells it to the host: one JSON object a binding."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from localcloud.functions_host import ncrontab, routes
from localcloud.functions_host.timespan import TimeSpan, seconds

RETURN = "$return"
Address: TypeAlias = tuple[str, str]  # a connection, and a queue or topic of its namespace
_SETTING = re.compile(r"%([^%\s]+)%")
_RESOLVED = ("schedule", "queueName", "topicName", "subscriptionName", "path", "route", "connection")


class Binding(Struct, frozen=True, rename="camel", tag_field="type", forbid_unknown_fields=True):
    name: str
    direction: Literal["IN", "OUT"]
    data_type: Literal["UNDEFINED", "STRING", "BINARY", "STREAM"] = "UNDEFINED"

    @property
    def type(self) -> str:
        return str(self.__struct_config__.tag)


class EventGridTrigger(Binding, frozen=True, tag="eventGridTrigger"):
    pass


class BlobTrigger(Binding, frozen=True, kw_only=True, tag="blobTrigger"):
    """Told of blobs by Event Grid. The other way, which is the default, looks through the container's logs."""

    path: str
    connection: str
    source: str = "LogsAndContainerScan"

    def __post_init__(self) -> None:
        if self.source != "EventGrid":
            raise ValueError("a container is not scanned here; say source=func.BlobSource.EVENT_GRID")
        routes.blob_path(self.path)


class HttpTrigger(Binding, frozen=True, kw_only=True, tag="httpTrigger"):
    route: str
    auth_level: Literal["ANONYMOUS", "FUNCTION", "ADMIN"] = "FUNCTION"
    methods: list[str] = []

    def __post_init__(self) -> None:
        routes.Template.parse(self.route)
        if self.route.strip("/").split("/")[0].lower() in routes.RESERVED:
            raise ValueError(f"the route {self.route} conflicts with one or more built in routes; begin it otherwise")


class ServiceBusTrigger(Binding, frozen=True, kw_only=True, tag="serviceBusTrigger"):
    """A queue, or a topic's subscription; one message a call, or a batch (`MANY`)."""

    connection: str
    queue_name: str = ""
    topic_name: str = ""
    subscription_name: str = ""
    cardinality: Literal["ONE", "MANY"] = "ONE"
    auto_complete_messages: bool | None = None  # as in host.json where it is not said
    access_rights: str = ""
    is_sessions_enabled: bool = False

    def __post_init__(self) -> None:
        if bool(self.queue_name) == bool(self.topic_name and self.subscription_name):
            raise ValueError("it needs a queue_name, or else a topic_name and a subscription_name")

    @property
    def entity(self) -> str:
        return self.queue_name or f"{self.topic_name}/Subscriptions/{self.subscription_name}"


class TimerTrigger(Binding, frozen=True, kw_only=True, tag="timerTrigger"):
    schedule: str
    run_on_startup: bool = False
    use_monitor: bool = True

    def __post_init__(self) -> None:
        ncrontab.parse(self.schedule)


class HttpOutput(Binding, frozen=True, tag="http"):
    pass


class ServiceBusOutput(Binding, frozen=True, kw_only=True, tag="serviceBus"):
    connection: str
    queue_name: str = ""
    topic_name: str = ""
    subscription_name: str = ""  # the SDK lets one say it, and nothing heeds it
    access_rights: str = ""

    def __post_init__(self) -> None:
        if bool(self.queue_name) == bool(self.topic_name):
            raise ValueError("it needs a queue_name or a topic_name, and not both")

    @property
    def address(self) -> Address:
        return self.connection, self.queue_name or self.topic_name


Trigger: TypeAlias = BlobTrigger | EventGridTrigger | HttpTrigger | ServiceBusTrigger | TimerTrigger
Output: TypeAlias = HttpOutput | ServiceBusOutput


class Retry(Struct, frozen=True):
    """`@app.retry`. Azure heeds it for timers only (of the triggers served here), and so do we."""

    strategy: Literal["fixed_delay", "exponential_backoff"]
    max_retry_count: Annotated[int, Meta(ge=-1)]  # -1: again and again
    delay_interval: TimeSpan = "00:00:00"
    minimum_interval: TimeSpan = "00:00:00"
    maximum_interval: TimeSpan = "00:00:00"

    def delay(self, attempt: int) -> float:
        """Seconds to wait after attempt 0, 1, 2, …"""
        if self.strategy == "fixed_delay":
            return seconds(self.delay_interval)
        return min(seconds(self.minimum_interval) * 2.0 ** min(attempt, 32), seconds(self.maximum_interval))


def decode(raw: str, environ: Mapping[str, str]) -> Trigger | Output:
    """With each `%NAME%` as the setting of that name says.

    Raises msgspec.ValidationError for a binding that this host does not know, or knows with other fields.
    """
    said: dict[str, Any] = msgspec.json.decode(raw)
    resolved = {name: _resolved(name, value, environ) if name in _RESOLVED else value for name, value in said.items()}
    known: Trigger | Output = msgspec.convert(resolved, Trigger | Output)
    return known


def _resolved(name: str, value: str, environ: Mapping[str, str]) -> str:
    def setting(found: re.Match[str]) -> str:
        if found[1] not in environ:
            raise msgspec.ValidationError(f"'%{found[1]}%' does not resolve to a value; set {found[1]}, for `{name}`")
        return environ[found[1]]

    return _SETTING.sub(setting, value)
