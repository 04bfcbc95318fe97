"""What may go wrong on the way to a subscriber does so by chance from a seed, and all arrives in the end."""

import random
from dataclasses import replace

import msgspec
import pytest

from localcloud.eventgrid.faults import A_MOMENT_SECONDS, LONGEST_DELAY_SECONDS, Conditions, Fate, Weather, fate
from localcloud.eventgrid.pending import Delivery
from tests.localcloud.eventgrid.grid import CONFIRMED, Cloud, Functions, Queues, Running
from tests.localcloud.eventgrid.test_eventgrid_delivery import number_in, publish

FRESH = Delivery(id=1, message_id="m", event=b"{}", since=7.0, due=7.0, attempts=0)
PUT_OFF = replace(FRESH, due=9.0)
FAILED = replace(PUT_OFF, attempts=1)
SOME = 200


def fates(conditions: Conditions, of: Delivery = FRESH) -> list[Fate]:
    weather = Weather.under(conditions)
    return [weather.fate(of) for _ in range(SOME)]


def test_in_fair_weather_nothing_happens() -> None:
    assert set(fates(Conditions())) == {Fate()}


@pytest.mark.parametrize("fault", ["duplicate", "delay", "reorder", "fail", "drop"])
def test_a_share_is_hit_and_the_same_seed_hits_the_same(fault: str) -> None:
    hit = [each != Fate() for each in fates(msgspec.convert({"seed": 3, fault: 0.3}, Conditions))]

    assert 0.2 * SOME < sum(hit) < 0.4 * SOME
    assert hit == [each != Fate() for each in fates(msgspec.convert({"seed": 3, fault: 0.3}, Conditions))]
    assert hit != [each != Fate() for each in fates(msgspec.convert({"seed": 4, fault: 0.3}, Conditions))]


@pytest.mark.parametrize(
    ("conditions", "delivery", "expected"),
    [
        (Conditions(duplicate=1), FRESH, Fate(copies=2)),
        (Conditions(duplicate=1), FAILED, Fate()),
        (Conditions(drop=1), FRESH, Fate(answered=False)),
        (Conditions(drop=1), FAILED, Fate()),
        (Conditions(duplicate=1, drop=1), PUT_OFF, Fate(copies=2, answered=False)),
        (Conditions(delay=1, reorder=1), PUT_OFF, Fate()),
        (Conditions(fail=1), FAILED, Fate(copies=0)),
    ],
)
def test_all_but_a_failure_hit_a_first_attempt_only(conditions: Conditions, delivery: Delivery, expected: Fate) -> None:
    assert fate(delivery, conditions, random.Random(1)) == expected


def test_delays_are_scaled_and_what_changes_places_waits_a_moment() -> None:
    delays = [each.wait for each in fates(Conditions(delay=1, time_scale=0.1))]
    moments = [each.wait for each in fates(Conditions(reorder=1, time_scale=0.1))]

    assert min(delays) > 0 and 0.9 * 0.1 * LONGEST_DELAY_SECONDS < max(delays) <= 0.1 * LONGEST_DELAY_SECONDS
    assert min(moments) > 0 and 0.9 * A_MOMENT_SECONDS < max(moments) <= A_MOMENT_SECONDS


@pytest.mark.real
async def test_a_duplicate_reaches_function_and_queue_twice_and_is_delivered_once(
    cloud: Cloud, functions: Functions, queues: Queues
) -> None:
    async with cloud.running(functions.address, under=Conditions(duplicate=1)) as running:
        await publish(running, 1)
        await publish(running, 2, event_type=CONFIRMED)

        called = [number_in(await functions.next()) for _ in range(2)]
        put = {(await queues.next()).message_id for _ in range(2)}
        await running.until("process-order", lambda state: (state.delivered, state.pending) == (1, 0))
        await running.until("orders-to-catalog", lambda state: (state.delivered, state.pending) == (1, 0))

    assert (called, len(put)) == ([1, 1], 1)


@pytest.mark.real
async def test_where_the_answer_is_lost_it_comes_again(cloud: Cloud, functions: Functions) -> None:
    async with cloud.running(functions.address, under=Conditions(drop=1)) as running:
        await publish(running, 1)

        counts = [(await functions.next()).headers["aeg-delivery-count"] for _ in range(2)]
        state = await running.until("process-order", lambda state: state.delivered == 1)

    assert (counts, state.retried) == (["0", "1"], 1)


@pytest.mark.real
async def test_what_is_reordered_comes_in_another_order_and_all_of_it(cloud: Cloud, functions: Functions) -> None:
    async with cloud.running(functions.address, under=Conditions(reorder=0.5, delay=0.2)) as running:
        await publish(running, *range(SOME))

        came = [number_in(await functions.next()) for _ in range(SOME)]

    assert came != sorted(came)
    assert sorted(came) == list(range(SOME))


@pytest.mark.real
async def test_an_outage_is_switched_on_and_off_while_it_runs(running: Running, functions: Functions) -> None:
    running.grid.change(Conditions(time_scale=0.001, fail=1))
    await publish(running, 1)
    await running.until("process-order", lambda state: state.retried == 2)
    nobody = functions.received.empty()

    running.grid.change(Conditions(time_scale=0.001))

    assert nobody
    await running.until("process-order", lambda state: state.delivered == 1)
    assert number_in(await functions.next()) == 1
