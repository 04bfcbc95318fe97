"""An endpoint that fails again and again is left alone for a while ("Delayed event delivery")."""

from dataclasses import dataclass
from typing import Final

from localcloud.eventgrid.retry import Outcome

AFTER_FAILURES: Final = 10  # in a row
SECONDS: Final = {Outcome.BUSY: 10, Outcome.TIMED_OUT: 10, Outcome.ABORTED: 10, Outcome.SOCKET_ERROR: 30}
ELSE_SECONDS: Final = 300


@dataclass(slots=True)
class Probation:
    failures: int = 0
    until: float = 0.0  # no attempt is made before

    def failed(self, outcome: Outcome, at: float, time_scale: float) -> None:
        self.failures += 1
        if self.failures >= AFTER_FAILURES:
            self.until = at + SECONDS.get(outcome, ELSE_SECONDS) * time_scale

    def succeeded(self) -> None:
        self.failures, self.until = 0, 0.0
