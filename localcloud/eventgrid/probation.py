"""An endpoint that fails again and again is left alone for a while ("Delayed event delivery")."""

from dataclasses import dataclass
from typing import Final

from localcloud.eventgrid.retry import Outcome

AFTER_FAILURES: Final = 10  # in a row
# What is not among them says something of the event, and nothing of who gets it.
SECONDS: Final = {
    Outcome.BUSY: 10,
    Outcome.TIMED_OUT: 10,
    Outcome.ABORTED: 10,
    Outcome.SOCKET_ERROR: 30,
    Outcome.NOT_FOUND: 300,
    Outcome.UNAUTHORIZED: 300,
    Outcome.FORBIDDEN: 300,
    Outcome.RESOLUTION_ERROR: 300,
    Outcome.DISABLED: 300,
    Outcome.FULL: 300,
}


@dataclass(slots=True)
class Probation:
    failures: int = 0
    until: float = 0.0  # no attempt is made before

    def failed(self, outcome: Outcome, at: float, time_scale: float) -> None:
        if outcome not in SECONDS:
            return
        self.failures += 1
        if self.failures >= AFTER_FAILURES:
            self.until = at + SECONDS[outcome] * time_scale

    def succeeded(self) -> None:
        self.failures, self.until = 0, 0.0
