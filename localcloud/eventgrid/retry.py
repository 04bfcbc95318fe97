"""What follows a failed attempt: when to try again, and when no more (Event Grid, "delivery and retry")."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from localcloud.eventgrid.faults import Weather
from localcloud.eventgrid.pending import Delivery
from localcloud.subscription import Retry

SCHEDULE = (10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200)  # seconds; then the last again and again
SPREAD = 0.1  # each wait is this much shorter or longer, by chance
LEAST_SECONDS = 10.0  # before another attempt, whatever the schedule says
WANTED = Retry()


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
    DISABLED = "Disabled"
    SESSION_QUEUE_NOT_SUPPORTED = "SessionQueueNotSupported"  # it needs a session, and the subscription says none
    SOCKET_ERROR = "SocketError"
    RESOLUTION_ERROR = "ResolutionError"
    ABORTED = "Aborted"  # any other answer


class Answer(NamedTuple):
    outcome: Outcome
    said: str = ""  # the status, for a person
    least: float = LEAST_SECONDS

    @property
    def status(self) -> int | None:
        return int(self.said) if self.said.isdecimal() else None

    @property
    def text(self) -> str:
        """Delivered 202, SocketError, …"""
        return f"{self.outcome} {self.said}".strip()


FINAL = {Outcome.BAD_REQUEST, Outcome.UNAUTHORIZED, Outcome.FORBIDDEN, Outcome.PAYLOAD_TOO_LARGE}


@dataclass(frozen=True, slots=True)
class Dead:
    reason: str  # `deadLetterReason`


TOO_LATE = Dead("TimeToLiveExceeded")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    weather: Weather
    wanted: Retry = WANTED

    def after(self, failed: Delivery, answer: Answer, at: float) -> Delivery | Dead:
        """The delivery as it is to be tried again; `failed` counts the attempt that failed."""
        if answer.outcome in FINAL:
            return Dead(f"UndeliverableDueToHttp{answer.outcome}")
        if failed.attempts >= self.wanted.attempts:
            return Dead("MaxDeliveryAttemptsExceeded")
        scheduled = SCHEDULE[min(failed.attempts, len(SCHEDULE)) - 1]
        return replace(failed, due=at + self._wait(max(scheduled, answer.least)))

    def is_too_late(self, delivery: Delivery, at: float) -> bool:
        """For another attempt: its time to live is looked at when one would begin, as in Azure, and not before."""
        return at - delivery.since > self.wanted.minutes * 60 * self.weather.conditions.time_scale

    def _wait(self, seconds: float) -> float:
        spread = self.weather.chance.uniform(1 - SPREAD, 1 + SPREAD)
        return seconds * self.weather.conditions.time_scale * spread
