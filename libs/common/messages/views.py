"""A consumer's view of a message: the fields that it says it uses. It is given no others, so what it says is true.

Whatever else the message has or lacks concerns it no more; and whoever would take one of these away is told whose it is
(contracts/consumers.json).
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from libs.common.messages import Message

M = TypeVar("M", bound=Message)
Reaction = TypeVar("Reaction", bound=Callable[..., Any])


def uses(*fields: str) -> Callable[[Reaction], Reaction]:
    """What a reaction reads of its message. One that does not say so is given all of it."""

    def declare(reaction: Reaction) -> Reaction:
        reaction.uses = fields  # type: ignore[attr-defined]
        return reaction

    return declare


def heard(kind: type[M], reaction: Callable[..., Any]) -> type[M]:
    """The message as the reaction is given it."""
    fields: tuple[str, ...] | None = getattr(reaction, "uses", None)
    return kind if fields is None else view(kind, *fields)


@cache
def view(kind: type[M], *fields: str) -> type[M]:
    """The message with these fields only; another raises AttributeError. Raises KeyError where it has no such field."""
    known = {each.name: each for each in msgspec.structs.fields(kind)}
    told = [(name, known[name].type, _default(known[name])) for name in fields]
    namespace = {"type": kind.type, "subject": kind.subject, "__doc__": kind.__doc__}
    made: Any = msgspec.defstruct(kind.__name__, told, namespace=namespace, frozen=True, kw_only=True)
    return made  # type: ignore[no-any-return]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.NODEFAULT
