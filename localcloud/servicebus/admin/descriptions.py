"""What an entity is, as XML and as settings: one table for both directions."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import Element

import msgspec

from localcloud.servicebus.admin import durations, xml
from localcloud.servicebus.errors import BadArgument, OutOfRange
from localcloud.servicebus.namespace import Settings
from localcloud.topology import BusSubscription, BusTopic, Queue

LONGEST_REMARK: Final = 4_096  # characters


class _Field(NamedTuple):
    setting: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    least: float | None = None
    most: float | None = None


def _truth(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise BadArgument(f"neither true nor false: {text[:40]}")
    return text.strip().lower() == "true"


def _whole(text: str) -> int:
    if not text.strip().isascii() or not text.strip().isdigit() or len(text) > 12:
        raise BadArgument(f"not a number: {text[:40]}")
    return int(text)


def _written(value: bool) -> str:
    return "true" if value else "false"


def _path(uri: str) -> str:
    """Of an entity, from its URI or from what is one already."""
    return (uri.partition("://")[2].partition("/")[2] if "://" in uri else uri).strip("/")


_LOCK = _Field("lock_seconds", durations.seconds, durations.text, 5, 300)
_TTL = _Field("ttl_seconds", durations.seconds, durations.text, 1)
_IDLE = _Field("auto_delete_seconds", durations.seconds, durations.text, 300)
_SIZE = _Field("max_megabytes", _whole, str, 1, 81_920)
_STATUS = _Field("status", str, str)
_QUEUE: Final[dict[str, _Field]] = {
    "LockDuration": _LOCK,
    "MaxSizeInMegabytes": _SIZE,
    "AutoDeleteOnIdle": _IDLE,
    "RequiresSession": _Field("sessions", _truth, _written),
    "DefaultMessageTimeToLive": _TTL,
    "DeadLetteringOnMessageExpiration": _Field("dead_letter_expired", _truth, _written),
    "MaxDeliveryCount": _Field("max_delivery_count", _whole, str, 1, 2_000),
    "Status": _STATUS,
    "ForwardTo": _Field("forward_to", _path, str),
    "ForwardDeadLetteredMessagesTo": _Field("forward_dead_letters_to", _path, str),
}
_ERRORS = _Field("dead_letter_filter_errors", _truth, _written)
FIELDS: Final[dict[type[Settings], dict[str, _Field]]] = {
    Queue: _QUEUE,
    BusSubscription: {name: field for name, field in _QUEUE.items() if name != "MaxSizeInMegabytes"}
    | {"DeadLetteringOnFilterEvaluationExceptions": _ERRORS},
    BusTopic: {
        "DefaultMessageTimeToLive": _TTL,
        "MaxSizeInMegabytes": _SIZE,
        "AutoDeleteOnIdle": _IDLE,
        "Status": _STATUS,
    },
}
ELEMENTS: Final[dict[str, type[Settings]]] = {
    "QueueDescription": Queue,
    "TopicDescription": BusTopic,
    "SubscriptionDescription": BusSubscription,
}
DUPLICATES, WINDOW = "RequiresDuplicateDetection", "DuplicateDetectionHistoryTimeWindow"
WINDOW_SECONDS: Final = 600.0
# What is kept as it was said, and means nothing here.
REMARKS: Final = (
    "EnableBatchedOperations",
    "EnableExpress",
    "EnablePartitioning",
    "EnableSubscriptionPartitioning",
    "FilteringMessagesBeforePublishing",
    "MaxMessageSizeInKilobytes",
    "SupportOrdering",
    "UserMetadata",
)
DEFAULTS: Final = {
    "EnableBatchedOperations": "true",
    "EnableExpress": "false",
    "EnablePartitioning": "false",
    "SupportOrdering": "true",
}
ADMIN_LOCK_SECONDS: Final = 60.0  # where it is not said


def read(description: Element, before: Settings | None) -> Settings:
    """Raises BadArgument or OutOfRange."""
    kind = ELEMENTS[xml.name(description)]
    said = dict(xml.texts(description))
    if kind is not BusTopic:
        said.setdefault("LockDuration", durations.text(ADMIN_LOCK_SECONDS))
    values: dict[str, Any] = {"remarks": {name: said[name][:LONGEST_REMARK] for name in REMARKS if name in said}}
    for name, field in FIELDS[kind].items():
        if said.get(name):
            values[field.setting] = _checked(name, field, said[name])
    if kind is not BusSubscription and _truth(said.get(DUPLICATES, "false")):
        values["duplicate_window_seconds"] = _window(said.get(WINDOW))
    try:
        made: Settings = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise BadArgument(str(error)) from None
    if isinstance(before, BusSubscription) and isinstance(made, BusSubscription):
        return msgspec.structs.replace(made, rules=before.rules)
    return made


def write(description: Element, settings: Settings, host: str) -> None:
    for name, field in FIELDS[type(settings)].items():
        value = getattr(settings, field.setting)
        if value is None and name.startswith("Forward"):
            continue
        xml.put(description, name, f"sb://{host}/{value}" if name.startswith("Forward") else field.write(value))
    if not isinstance(settings, BusSubscription):
        window = settings.duplicate_window_seconds
        xml.put(description, DUPLICATES, _written(window is not None))
        xml.put(description, WINDOW, durations.text(WINDOW_SECONDS if window is None else window))
    remarks: Mapping[str, str] = DEFAULTS | settings.remarks
    for name, value in remarks.items():
        if name not in FIELDS[type(settings)]:  # the version before kept one of these as a remark
            xml.put(description, name, value)
    xml.put(description, "EntityAvailabilityStatus", "Available")


def _window(text: str | None) -> float:
    window = durations.seconds(text) if text else WINDOW_SECONDS
    if window is None or not 20 <= window <= 7 * 86_400:
        raise OutOfRange(f"{WINDOW}: from 20 seconds to 7 days")
    return window


def _checked(name: str, field: _Field, text: str) -> Any:
    value = field.read(text)
    too_small = field.least is not None and value is not None and value < field.least
    if too_small or (field.most is not None and (value is None or value > field.most)):
        raise OutOfRange(f"{name}: {text[:40]}")
    return value
