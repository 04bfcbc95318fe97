"""What filters may ask of a message: the system's properties and the application's, whose names have no case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from localcloud.servicebus.filters.errors import FilterFailed

SYSTEM: Final = (
    "MessageId CorrelationId To ReplyTo Label Subject SessionId ReplyToSessionId ContentType TimeToLive "
    "EnqueuedTimeUtc SequenceNumber ScheduledEnqueueTimeUtc PartitionKey DeliveryCount"
)
_SYSTEM: Final = {name.lower() for name in SYSTEM.split()}


def plain(value: Any) -> Any:
    """A value that can be compared: text, a number, a truth, or None for what is not known."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool | int | float):
        return value
    return str(value) if isinstance(value, str) else None


@dataclass(slots=True)
class Facts:
    system: Mapping[str, Any]  # by names in lower case
    user: Mapping[str, Any]
    _names: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._names = {str(name).lower(): plain(value) for name, value in self.user.items()}

    def of_user(self, name: str) -> Any:
        return self._names.get(name.lower())

    def has_user(self, name: str) -> bool:
        return name.lower() in self._names

    def of_system(self, name: str) -> Any:
        """Raises FilterFailed."""
        if name.lower() not in _SYSTEM:
            raise FilterFailed(f"sys.{name} is not a system property")
        return plain(self.system.get(name.lower()))
