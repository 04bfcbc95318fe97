"""The one clock, read where something comes in (a route, a reaction); everything behind it is told the time."""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

Moment = Annotated[datetime, Meta(tz=True)]  # on the wire: which noon is meant must be said


def now() -> datetime:
    return datetime.now(UTC)
