"""UUID version 7 (RFC 9562, section 5.7): ids that sort by time and can't be guessed."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID


def uuid7(at: datetime, randbits: Callable[[int], int]) -> UUID:
    """`randbits` must be unpredictable, e.g. `secrets.randbits`; 74 bits of every id are chance."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | randbits(12) << 64 | 0b10 << 62 | randbits(62))
