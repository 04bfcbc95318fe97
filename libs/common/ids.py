"""UUID version 7 (RFC 9562, section 5.7): ids that sort by time and can't be guessed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

SHARDS = 16
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7(at: datetime, randbits: Callable[[int], int]) -> UUID:
    """`randbits` must be unpredictable, e.g. `secrets.randbits`; 74 bits of every id are chance."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | randbits(12) << 64 | 0b10 << 62 | randbits(62))


def uuid7_beside(other: UUID, at: datetime, randbits: Callable[[int], int]) -> UUID:
    """In the same shard as `other`, so that an engine which keeps the two together finds this one by itself, too."""
    return UUID(int=uuid7(at, randbits).int & ~(SHARDS - 1) | shard_of(other))


def first_at(at: datetime) -> UUID:
    """Lower than every id of version 7 that is made in that millisecond or later, and higher than all before."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def time_of(known: UUID) -> datetime:
    """When it was made, to the millisecond."""
    return EPOCH + timedelta(milliseconds=known.int >> 80)


def shard_of(known: UUID) -> int:
    """By the last four bits, which are chance."""
    return known.int & (SHARDS - 1)
