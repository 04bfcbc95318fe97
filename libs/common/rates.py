"""How often a caller may ask: a bucket of requests each, which fills steadily. In memory, of each process its own."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import ceil
from time import monotonic
from typing import NamedTuple

WINDOW_SECONDS = 60
MOST_CALLERS = 20_000  # then whoever has not asked for longest is forgotten, and begins with a full bucket


class Left(NamedTuple):
    """What a caller may still ask: draft-ietf-httpapi-ratelimit-headers-10."""

    requests: int
    full_in: int  # seconds
    wait: int = 0  # seconds, until there is one again; 0: this one is let in

    @property
    def header(self) -> str:
        return f'"caller";r={self.requests};t={self.full_in}'


@dataclass(slots=True)
class Rates:
    most: int = 12_000  # in a window, and as many at once; as the gateway lets through for each address; 0: any number
    clock: Callable[[], float] = monotonic
    policy: str = field(init=False)
    _full_at: OrderedDict[Hashable, float] = field(default_factory=OrderedDict)  # all that is to be known of a bucket

    def __post_init__(self) -> None:
        self.policy = f'"caller";q={self.most};w={WINDOW_SECONDS}'

    def take(self, caller: Hashable) -> Left:
        now, interval = self.clock(), WINDOW_SECONDS / self.most
        full_at = max(self._full_at.get(caller, now), now)
        missing = full_at + interval - now
        if missing > WINDOW_SECONDS:
            return Left(0, ceil(full_at - now), wait=ceil(missing - WINDOW_SECONDS))
        self._full_at[caller] = full_at + interval
        self._full_at.move_to_end(caller)
        if len(self._full_at) > MOST_CALLERS:
            self._full_at.popitem(last=False)
        return Left(int((WINDOW_SECONDS - missing) / interval + 1e-6), ceil(missing))
