"""What a function is bound to, as the Python worker tells it to the host: one JSON object a binding."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from localcloud.functions_host.ncrontab import Schedule

RETURN = "$return"
Address: TypeAlias = tuple[str, str]  # a connection and a queue of its namespace
TimeSpan: TypeAlias = Annotated[str, Meta(pattern=r"^\d{1,2}:\d{2}:\d{2}$")]


def seconds(span: TimeSpan) -> float:
    hours, minutes, rest = map(int, span.split(":"))
    return hours * 3600 + minutes * 60 + rest


class Binding(Struct, frozen=True, rename="camel", tag_field="type"):
    name: str
    direction: Literal["IN", "OUT"]

    @property
    def type(self) -> str:
        return str(self.__struct_config__.tag)


class EventGridTrigger(Binding, frozen=True, tag="eventGridTrigger"):
    pass


class HttpTrigger(Binding, frozen=True, tag="httpTrigger"):
    route: str
    auth_level: Literal["ANONYMOUS", "FUNCTION", "ADMIN"] = "FUNCTION"
    methods: list[str] = []


class ServiceBusTrigger(Binding, frozen=True, tag="serviceBusTrigger"):
    """A queue, one message at a time. Sessions, batches and topics are not served here."""

    connection: str
    queue_name: str
    data_type: Literal["UNDEFINED", "STRING", "BINARY"] = "UNDEFINED"
    cardinality: Literal["ONE"] = "ONE"
    is_sessions_enabled: bool = False

    def __post_init__(self) -> None:
        if self.is_sessions_enabled:
            raise ValueError("queues with sessions are not served here")


class TimerTrigger(Binding, frozen=True, tag="timerTrigger"):
    schedule: str
    run_on_startup: bool = False

    def __post_init__(self) -> None:
        Schedule.parse(self.schedule)


class HttpOutput(Binding, frozen=True, tag="http"):
    pass


class ServiceBusOutput(Binding, frozen=True, tag="serviceBus"):
    connection: str
    queue_name: str

    @property
    def address(self) -> Address:
        return self.connection, self.queue_name


Trigger: TypeAlias = EventGridTrigger | HttpTrigger | ServiceBusTrigger | TimerTrigger
Output: TypeAlias = HttpOutput | ServiceBusOutput


class Retry(Struct, frozen=True):
    """`@app.retry`. Azure heeds it for timers only (of the triggers served here), and so do we."""

    strategy: Literal["fixed_delay", "exponential_backoff"]
    max_retry_count: Annotated[int, Meta(ge=0)]
    delay_interval: TimeSpan = "00:00:00"
    minimum_interval: TimeSpan = "00:00:00"
    maximum_interval: TimeSpan = "00:00:00"

    def delay(self, attempt: int) -> float:
        """Seconds to wait after attempt 0, 1, 2, …"""
        if self.strategy == "fixed_delay":
            return seconds(self.delay_interval)
        return min(seconds(self.minimum_interval) * 2.0**attempt, seconds(self.maximum_interval))


def decode(raw: str) -> Trigger | Output:
    """Raises msgspec.ValidationError for a binding that this host does not know, or knows with other fields."""
    known: Trigger | Output = msgspec.json.decode(raw, type=Trigger | Output)
    return known
