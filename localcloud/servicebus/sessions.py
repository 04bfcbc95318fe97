"""Sessions of one queue: who holds which, for how long, what they keep there, and who waits for the next."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from localcloud.servicebus.errors import Busy, NoSession, Refused, SessionCannotBeLocked, SessionLockLost, TooLarge
from localcloud.servicebus.lanes import Lane
from localcloud.servicebus.queue import Queue

MOST_WAITING: Final = 1_000  # receivers for the next session
ALL_SESSIONS: Final = 253_402_300_800_000  # the last-updated-time that asks for all
LARGEST_STATE: Final = 262_144  # bytes

Found = Callable[["Lane | Refused"], None]


@dataclass(slots=True, eq=False)
class Seeker:
    """A receiver that waits for any session."""

    found: Found
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Sessions:
    queue: Queue
    _offered: dict[str | None, Lane] = field(default_factory=dict)  # with messages and without receiver, perhaps
    _seekers: deque[Seeker] = field(default_factory=deque)

    def accept(self, session: str, at: int) -> Lane:
        """Raises SessionCannotBeLocked."""
        lane = self.queue.lane(session)
        if lane.held_until is not None:
            raise SessionCannotBeLocked(session)
        self.queue.hold(lane, at)
        return lane

    def seek(self, found: Found, at: int, seconds: float) -> Seeker | None:
        """The next session with messages, at once or within that time. Who waits may give up by `stop`."""
        if (lane := self._next_offered()) is not None:
            self.queue.hold(lane, at)
            found(lane)
            return None
        if len(self._seekers) >= MOST_WAITING:
            raise Busy("too many receivers wait for a session")
        seeker = Seeker(found)
        seeker.timer = asyncio.get_running_loop().call_later(seconds, self._give_up, seeker)
        self._seekers.append(seeker)
        return seeker

    def stop(self, seeker: Seeker) -> None:
        if seeker.timer:
            seeker.timer.cancel()
        if seeker in self._seekers:
            self._seekers.remove(seeker)

    def dismiss(self, why: Refused) -> None:
        for seeker in list(self._seekers):
            self.stop(seeker)
            seeker.found(why)

    def offer(self, lane: Lane) -> None:
        if lane.count and lane.held_until is None:
            self._offered[lane.session] = lane

    def serve(self, at: int) -> None:
        """Whoever waits gets a session, where there is one."""
        while self._seekers and (lane := self._next_offered()) is not None:
            seeker = self._seekers[0]
            self.stop(seeker)
            self.queue.hold(lane, at)
            seeker.found(lane)

    def holding(self, session: str, at: int) -> Lane:
        """Raises SessionLockLost."""
        lane = self.queue.held.get(session)
        if lane is None or not lane.is_held(at):
            raise SessionLockLost(session)
        return lane

    def put_state(self, session: str, state: bytes | None, at: int) -> None:
        """Raises SessionLockLost or TooLarge."""
        if state is not None and len(state) > LARGEST_STATE:
            raise TooLarge(LARGEST_STATE)
        lane = self.holding(session, at)
        lane.state, lane.updated = state, at

    def names(self, updated_after: int) -> list[str]:
        """Of all with messages or a state; or of those whose state was put after that time."""
        lanes = self.queue.lanes.values()
        if updated_after >= ALL_SESSIONS:
            waits = {entry.session for entry in self.queue.locked.values()}
            named = [lane.session for lane in lanes if lane.count or lane.state is not None or lane.session in waits]
        else:
            named = [lane.session for lane in lanes if lane.state is not None and lane.updated > updated_after]
        return sorted(name for name in named if name is not None)

    def _next_offered(self) -> Lane | None:
        while self._offered:
            lane = self._offered.pop(next(iter(self._offered)))
            if lane.count and lane.held_until is None:
                return lane
        return None

    def _give_up(self, seeker: Seeker) -> None:
        self.stop(seeker)
        seeker.found(NoSession())
