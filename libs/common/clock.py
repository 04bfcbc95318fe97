"""The one clock, read where something comes in (a route, a reaction); everything behind it is told the time."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
