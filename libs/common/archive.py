"""All that a service keeps, as rows: the same on every engine, so that it can be moved from one to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, ClassVar, Protocol, Self, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

PAGE = 1000  # rows at a time; as many as there can be categories, which refer to one another
SCALARS = frozenset({int, str, bool, bytes, datetime, UUID})


class Row(Struct, frozen=True, kw_only=True):
    """Its fields are the columns of `table`; those whose type is not in SCALARS are JSON there."""

    table: ClassVar[str]
    sorted_by: ClassVar[tuple[str, ...]]  # in whose order it is read from SQL

    @classmethod
    def columns(cls) -> dict[str, Any]:
        """The type of each; whether it may be NULL is left out."""
        return {field.name: _plain(field.type) for field in msgspec.structs.fields(cls)}

    @classmethod
    def from_columns(cls, found: Mapping[str, Any]) -> Self:
        """JSON comes as text."""
        return cls(**{name: _decoded(found[name], column) for name, column in cls.columns().items()})

    def to_columns(self) -> dict[str, Any]:
        """JSON goes as text."""
        return {name: _encoded(getattr(self, name), column) for name, column in self.columns().items()}

    def reached(self) -> str:
        """A page that ends here ends there."""
        return msgspec.json.encode([getattr(self, name) for name in self.sorted_by]).decode()

    @classmethod
    def key_of(cls, reached: str) -> tuple[Any, ...]:
        types = tuple(cls.columns()[name] for name in cls.sorted_by)
        key: tuple[Any, ...] = msgspec.json.decode(reached, type=tuple[types])  # type: ignore[valid-type]
        return key


class Heard(Row, frozen=True, kw_only=True):
    """A message that has had its effect. When that was is not moved: the mark is kept for its time once more."""

    table = "inbox"
    sorted_by = ("cause",)

    cause: str


class Parked(Row, frozen=True, kw_only=True):
    """A fact that Event Grid will never take."""

    table = "outbox_dead"
    sorted_by = ("event",)

    event: bytes
    reason: str


MESSAGING: tuple[type[Row], ...] = (Heard, Parked)  # what waits in the outbox is told before anything is moved


@dataclass(frozen=True, slots=True)
class Page:
    """`reached` is where the next one goes on; a page without rows is the end."""

    rows: Sequence[Row]
    reached: str

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Of rows in the order of their key."""
        return cls(rows, rows[-1].reached() if rows else "")


class Archive(Protocol):
    """What can be read out of a database, and put into an empty one."""

    async def count(self, kind: type[Row]) -> int:
        """Its rows."""

    async def page(self, kind: type[Row], after: str) -> Page:
        """At most PAGE rows, from the beginning where `after` is empty."""

    async def progress(self) -> dict[str, str]:
        """How far a copy into it has got, by table. Empty where none is under way."""

    async def note(self, what: str, reached: str) -> None:
        """From the first note until `finish`, no service starts on it."""

    async def write(self, kind: type[Row], page: Page) -> None:
        """And how far it reaches. Once more does no harm, if it was not noted."""

    async def finish(self) -> None:
        """All is there: a service may start on it."""


def _plain(column: Any) -> Any:
    parts = get_args(column)
    return next(part for part in parts if part is not NoneType) if NoneType in parts else column


def _decoded(value: Any, column: Any) -> Any:
    return value if value is None or column in SCALARS else msgspec.json.decode(value, type=column)


def _encoded(value: Any, column: Any) -> Any:
    return value if value is None or column in SCALARS else msgspec.json.encode(value).decode()
