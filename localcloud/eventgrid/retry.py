"""What follows a failed attempt: when to try again, and when no more (Event Grid, "delivery and retry")."""

from dataclasses import dataclass, replace
from enum import StrEnum

from localcloud.eventgrid.faults import Weather
from localcloud.eventgrid.pending import Delivery

SCHEDULE = (10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200)  # seconds; then the last again and again
SPREAD = 0.1  # each wait is this much shorter or longer, by chance
MOST_ATTEMPTS = 30
TIME_TO_LIVE = 86_400


class Outcome(StrEnum):
    """Of one attempt, in Azure's words (`lastDeliveryOutcome`)."""

    DELIVERED = "Delivered"
    BAD_REQUEST = "BadRequest"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    PAYLOAD_TOO_LARGE = "PayloadTooLarge"
    TIMED_OUT = "TimedOut"
    BUSY = "Busy"
    FULL = "Full"
    SOCKET_ERROR = "SocketError"
    ABORTED = "Aborted"  # any other answer


FINAL = {Outcome.BAD_REQUEST, Outcome.UNAUTHORIZED, Outcome.FORBIDDEN, Outcome.PAYLOAD_TOO_LARGE}


@dataclass(frozen=True, slots=True)
class Dead:
    reason: str  # `deadLetterReason`


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    weather: Weather

    def after(self, failed: Delivery, outcome: Outcome, at: float) -> Delivery | Dead:
        """The delivery as it is to be tried again; `failed` counts the attempt that failed."""
        if outcome in FINAL:
            return Dead(f"UndeliverableDueToHttp{outcome}")
        due = at + self._wait(SCHEDULE[min(failed.attempts, len(SCHEDULE)) - 1])
        if reason := self._exhausted(failed, due):
            return Dead(reason)
        return replace(failed, due=due)

    def _exhausted(self, failed: Delivery, due: float) -> str | None:
        if failed.attempts >= MOST_ATTEMPTS:
            return "MaxDeliveryAttemptsExceeded"
        if due - failed.since > TIME_TO_LIVE * self.weather.conditions.time_scale:
            return "TimeToLiveExceeded"
        return None

    def _wait(self, seconds: float) -> float:
        spread = self.weather.chance.uniform(1 - SPREAD, 1 + SPREAD)
        return seconds * self.weather.conditions.time_scale * spread
