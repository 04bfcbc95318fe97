"""What answers requests (AMQP Management 1.0): a request in, an answer out, perhaps later."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from localcloud.servicebus.errors import BadArgument, Refused

T = TypeVar("T")


class Request(NamedTuple):
    operation: str
    properties: dict[Any, Any]
    body: Any


class Answer(NamedTuple):
    status: int = 200
    description: str = "OK"
    body: Any = None
    condition: str | None = None


Reply = Callable[[Answer], None]


class Node(Protocol):
    status: tuple[str, str]  # the application properties that carry an answer's status and its description

    def answer(self, request: Request, reply: Reply) -> None:
        """Raises Refused."""


def failure(error: BaseException) -> Answer:
    refused = error if isinstance(error, Refused) else Refused()
    return Answer(refused.status, str(refused), condition=refused.condition)


def argument(of: dict[str, Any], name: str, kind: type[T]) -> T:
    """Raises BadArgument."""
    value = of.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadArgument(name)
    return value


def arguments(of: dict[str, Any], name: str, kind: type[T]) -> list[T]:
    """At least one. Raises BadArgument."""
    values = argument(of, name, list)
    if not values or any(not isinstance(value, kind) for value in values):
        raise BadArgument(name)
    return values
