"""What an Event Grid subscription says in the topology: where its events go, which, in what form and how long."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from yarl import URL

Schema = Literal["cloudevents", "eventgrid"]
Operator = Literal[
    "NumberIn",
    "NumberNotIn",
    "NumberLessThan",
    "NumberGreaterThan",
    "NumberLessThanOrEquals",
    "NumberGreaterThanOrEquals",
    "NumberInRange",
    "NumberNotInRange",
    "BoolEquals",
    "StringIn",
    "StringNotIn",
    "StringContains",
    "StringNotContains",
    "StringBeginsWith",
    "StringNotBeginsWith",
    "StringEndsWith",
    "StringNotEndsWith",
    "IsNullOrUndefined",
    "IsNotNull",
]
Text = Annotated[str, Meta(max_length=512)]
Value = bool | int | float | Text

MOST_FILTERS = MOST_VALUES = 25  # of one subscription
MOST_ATTRIBUTES = 10
HEADER = re.compile("[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2
FRAMING = {"host", "content-length", "transfer-encoding", "content-encoding", "connection", "expect", "upgrade"}


class Filter(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`key` is an attribute, or a path into the data: data.address.city. Some operators take a value, some values."""

    operator: Operator
    key: Annotated[str, Meta(min_length=1, max_length=512)]
    value: Value | None = None
    values: list[Value | list[float]] | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.value, self.values) if each is not None]
        if not _fits(self) or len(given) != (not self.operator.startswith("Is")):
            raise ValueError(f"{self.operator} takes {_wanted(self.operator)}")

    def asked(self) -> list[Any]:
        return [self.value] if self.values is None else list(self.values)


class Retry(Struct, frozen=True, forbid_unknown_fields=True):
    """Whichever comes first ends it."""

    attempts: Annotated[int, Meta(ge=1, le=30)] = 30
    minutes: Annotated[int, Meta(ge=1, le=1440)] = 1440


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Several events in one request, of what is there: none is waited for."""

    events: Annotated[int, Meta(ge=1, le=5000)] = 1
    kilobytes: Annotated[int, Meta(ge=1, le=1024)] = 64  # preferred: one event may be larger


class Attribute(Struct, frozen=True, forbid_unknown_fields=True):
    """Delivered beside the event, as header or property: a fixed value, or what the event says at a path."""

    value: Annotated[str, Meta(max_length=4096)] | None = field(default=None)
    from_: Annotated[str, Meta(min_length=1)] | None = field(default=None, name="from")

    def __post_init__(self) -> None:
        if (self.value is None) == (self.from_ is None):
            raise ValueError("an attribute has either a `value`, or is taken `from` the event")


class Destination(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one place; `audience` is of the token that a webhook is shown."""

    queue: str | None = None  # of Service Bus
    function: str | None = None
    bus_topic: str | None = None
    webhook: Annotated[str, Meta(pattern="^https?://.+")] | None = None
    storage_queue: str | None = None
    audience: str | None = None

    def __post_init__(self) -> None:
        places = (self.queue, self.function, self.bus_topic, self.webhook, self.storage_queue)
        if sum(place is not None for place in places) != 1:
            raise ValueError("a subscription goes to one of queue, function, bus_topic, webhook and storage_queue")
        if self.webhook:
            _check_address(self.webhook)
        if self.audience and not self.webhook:
            raise ValueError("only a webhook has an audience")

    def shown(self) -> dict[str, str]:
        """Without what a webhook's query holds, which may be a secret."""
        told = {name: getattr(self, name) for name in self.__struct_fields__ if getattr(self, name) is not None}
        return told | ({"webhook": self.webhook.partition("?")[0]} if self.webhook else {})


class Subscription(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9-]{3,64}$")]
    topic: str
    to: Destination
    types: list[str] = []  # none: all
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    subject_case_sensitive: bool = False
    filters: Annotated[list[Filter], Meta(max_length=MOST_FILTERS)] = []
    filter_arrays: bool = False  # else a list passes no filter but those that say "not"
    schema: Schema = "cloudevents"  # in which it is delivered
    attributes: Annotated[dict[str, Attribute], Meta(max_length=MOST_ATTRIBUTES)] = {}
    retry: Retry = Retry()
    batch: Batch = Batch()

    def __post_init__(self) -> None:
        if sum(len(each.asked()) for each in self.filters) > MOST_VALUES:
            raise ValueError(f"the filters of a subscription have {MOST_VALUES} values at most")
        if wrong := [name for name in self.attributes if name.lower().startswith("aeg-")]:
            raise ValueError(f"{wrong[0]}: what begins with aeg- is Event Grid's own")
        if self.to.webhook or self.to.function:
            _check_headers(self.attributes)
        if self.batch.events > 1 and not (self.to.webhook or self.to.function):
            raise ValueError("only webhooks and functions take batches")


def _check_headers(names: Iterable[str]) -> None:
    for name in names:
        if not HEADER.fullmatch(name) or name.lower() in FRAMING:
            raise ValueError(f"{name[:40]!r} is no header that can be chosen")


def _check_address(webhook: str) -> None:
    """Without telling it: its query may be a secret."""
    try:
        host = URL(webhook).raw_host or ""
        possible = bool(host.encode("idna"))
    except ValueError:
        possible = False
    if not possible:
        raise ValueError("the webhook is no address that can be called")


def _fits(of: Filter) -> bool:
    match of.operator:
        case "NumberIn" | "NumberNotIn":
            return _all(of.values, _number)
        case "NumberInRange" | "NumberNotInRange":
            return _all(of.values, lambda each: isinstance(each, list) and len(each) == 2 and each[0] <= each[1])
        case "BoolEquals":
            return isinstance(of.value, bool)
        case "IsNullOrUndefined" | "IsNotNull":
            return True
        case number if number.startswith("Number"):
            return _number(of.value)
    return _all(of.values, lambda each: isinstance(each, str))


def _all(values: list[Any] | None, good: Any) -> bool:
    return bool(values) and all(map(good, values or []))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wanted(operator: str) -> str:
    match operator:
        case "NumberIn" | "NumberNotIn":
            return "values: a list of numbers"
        case "NumberInRange" | "NumberNotInRange":
            return "values: a list of [least, most]"
        case "BoolEquals":
            return "value: true or false"
        case "IsNullOrUndefined" | "IsNotNull":
            return "neither value nor values"
    return "value: a number" if operator.startswith("Number") else "values: a list of texts"
