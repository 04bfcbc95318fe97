import random
from dataclasses import replace

import pytest

from localcloud.eventgrid.faults import Conditions, Weather
from localcloud.eventgrid.pending import Delivery
from localcloud.eventgrid.retry import SCHEDULE, WANTED, Answer, Dead, Outcome, RetryPolicy

FRESH = Delivery(id=1, message_id="m", event=b"{}", since=0.0, due=0.0, attempts=0)


class Middle(random.Random):
    """Chance that favours nobody."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


POLICY = RetryPolicy(Weather(Conditions(), Middle()))


@pytest.mark.parametrize(("attempts", "seconds"), list(enumerate(SCHEDULE[:9], start=1)))
def test_each_failure_waits_longer(attempts: int, seconds: int) -> None:
    failed = replace(FRESH, attempts=attempts)

    assert POLICY.after(failed, Answer(Outcome.ABORTED), 100.0) == replace(failed, due=100.0 + seconds)


def test_waits_are_scaled_and_differ_by_chance_within_a_tenth() -> None:
    policy = RetryPolicy(Weather.under(Conditions(time_scale=0.01, seed=7)))

    waits = {
        after.due
        for _ in range(50)
        if isinstance(after := policy.after(one_failed(), Answer(Outcome.BUSY), 0), Delivery)
    }

    assert len(waits) == 50
    assert 0.09 <= min(waits) < 0.095
    assert 0.105 < max(waits) <= 0.11


@pytest.mark.parametrize("outcome", ["BadRequest", "Unauthorized", "Forbidden", "PayloadTooLarge"])
def test_what_will_never_be_taken_is_dead_at_once(outcome: str) -> None:
    assert POLICY.after(one_failed(), Answer(Outcome(outcome)), 0.0) == Dead(f"UndeliverableDueToHttp{outcome}")


def test_the_last_attempt_ends_it() -> None:
    failed = replace(FRESH, attempts=WANTED.attempts)

    assert POLICY.after(failed, Answer(Outcome.TIMED_OUT), 0.0) == Dead("MaxDeliveryAttemptsExceeded")


def test_a_day_is_over_only_when_an_attempt_would_begin() -> None:
    failed = replace(FRESH, attempts=8)

    again = POLICY.after(failed, Answer(Outcome.ABORTED), 86_399)

    assert again == replace(failed, due=86_399 + 10_800)
    assert not POLICY.is_too_late(failed, 86_400)
    assert POLICY.is_too_late(failed, 86_400.1)


def one_failed() -> Delivery:
    return replace(FRESH, attempts=1)
