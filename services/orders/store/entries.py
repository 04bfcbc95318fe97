"""An order's timeline as it is kept: `history` has the states that settle an order, `timeline` all else that was told
or heard of it; and its status, which SQL keeps in two columns.

Both so that the version before can serve beside this one: it knows only the states in SETTLING.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from libs.common.ids import first_at
from libs.common.messages import Fact
from services.orders.domain import Order
from services.orders.transitions import Status

NOBODY = UUID(int=0)  # whose the orders of erased customers are
HIGHEST = UUID(int=2**128 - 1)
END = datetime.max.replace(tzinfo=UTC)
SETTLING = frozenset({Status.PLACED, Status.CONFIRMED, Status.REJECTED, Status.CANCELLED})
_STATUSES = {f"order-{status}": status for status in Status}

Kind = Literal["heard", "told", "payment", "letter"]  # what is heard comes before what is told because of it


class Place(NamedTuple):
    """Where a line stands in its timeline: the oldest is the first. What was told at one moment is in the order of its
    versions, after what it was told for.
    """

    at: datetime
    version: int
    mark: str


BEGINNING = Place(datetime.min.replace(tzinfo=UTC), 0, "")


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the timeline. `mark` is the message's cause, or the version that told it: each is kept once."""

    mark: str
    kind: Kind
    name: str
    at: datetime
    attempt: int = 1
    reason: str = ""
    version: int = 0  # of the order, where it tells a change

    @property
    def place(self) -> Place:
        return Place(self.at, self.version, self.mark)

    @property
    def status(self) -> Status | None:
        """That the order had from then on."""
        return _STATUSES.get(self.name) if self.kind == "told" else None


def split(status: Status) -> tuple[str, str]:
    """`status` and `fulfilment`, as the columns have them."""
    return (status.value, "") if status in SETTLING else (Status.CONFIRMED.value, status.value)


def joined(status: str, fulfilment: str) -> Status:
    return Status(fulfilment or status)


def settles(before: Status, order: Order) -> bool:
    """Whether the change belongs into `history`."""
    return order.status is not before and order.status in SETTLING


def notes(before: Status, order: Order, fact: Fact | None, heard: Note | None) -> list[Note]:
    """What a change adds to the timeline beside its history. Nothing is said of why about nobody's orders."""
    if heard and order.customer_id == NOBODY:
        heard = replace(heard, reason="")
    found = [heard] if heard else []
    if fact and not settles(before, order):
        name, reason = fact.type.split(".")[2], getattr(fact, "reason", "")
        found.append(Note(f"v{fact.version}", "told", name, fact.at, reason=reason, version=fact.version))
    return found


def of_history(version: int, status: str, at: datetime, reason: str) -> Note:
    return Note("", "told", f"order-{status}", at, reason=reason, version=version)


def erased_until(standing: str | None, at: datetime) -> datetime:
    """Of which orders an erasure takes. As long as nobody has registered again all are theirs, also those placed before
    it was heard; else those of before.
    """
    return END if standing == "erased" else at


def bounds(since: datetime | None, until: datetime | None, before: UUID | None) -> tuple[UUID, UUID]:
    """Of the ids of orders placed from `since` on and before `until`, older than `before`: they sort by time."""
    newest = [each for each in (before, first_at(until) if until else None) if each]
    return first_at(since) if since else UUID(int=0), min(newest, default=HIGHEST)
