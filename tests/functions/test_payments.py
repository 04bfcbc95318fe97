"""The port's contract. It is held here against the simulated provider; a team holds its own adapter to it by
PAYMENTS_URL and PAYMENTS_KEY in the environment of `pytest tests/functions/test_payments.py`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from functions import payments
from functions.connections import Connections
from functions.payments import Payment, Refused, Sum, WrongAmount
from libs.common import telemetry
from libs.common.errors import Unavailable
from localcloud.payments.till import Till
from tests.functions.surroundings import TRACEPARENT, Answer, answers, hangs_up, is_silent, refuses, says

TOTAL = Sum(12_50, "EUR")
Step = Callable[[Connections, UUID], Awaitable[Payment]]


@pytest.fixture
def order() -> UUID:
    return uuid4()


@pytest.fixture
def provider(to: Connections) -> Connections:
    url, key = os.environ.get("PAYMENTS_URL"), os.environ.get("PAYMENTS_KEY", "")
    return replace(to, settings=replace(to.settings, payments_url=url, payments_key=key)) if url else to


def authorise(to: Connections, order: UUID) -> Awaitable[Payment]:
    return payments.authorise(to, order, TOTAL)


def capture(to: Connections, order: UUID) -> Awaitable[Payment]:
    return payments.capture(to, order, TOTAL)


def refund(to: Connections, order: UUID) -> Awaitable[Payment]:
    return payments.refund(to, order, TOTAL)


void: Step = payments.void

# What was done before, what is asked now, and what the payment is then: for each state and each call.
TABLE: list[tuple[list[Step], Step, str]] = [
    ([], authorise, "authorised"),
    ([], void, "voided"),
    ([authorise], authorise, "authorised"),
    ([authorise], capture, "captured"),
    ([authorise], void, "voided"),
    ([authorise, capture], authorise, "captured"),
    ([authorise, capture], capture, "captured"),
    ([authorise, capture], refund, "refunded"),
    ([authorise, capture, refund], authorise, "refunded"),
    ([authorise, capture, refund], capture, "refunded"),
    ([authorise, capture, refund], refund, "refunded"),
    ([void], authorise, "voided"),
    ([void], void, "voided"),
    ([authorise, void], authorise, "voided"),
    ([authorise, void], void, "voided"),
]
REFUSED: list[tuple[list[Step], Step]] = [
    ([], capture),
    ([], refund),
    ([authorise], refund),
    ([authorise, capture], void),
    ([authorise, capture, refund], void),
    ([void], capture),
    ([void], refund),
    ([authorise, void], capture),
    ([authorise, void], refund),
]


def named(case: object) -> str | None:
    return " ".join(step.__name__ for step in case) or "nothing" if isinstance(case, list) else None


@pytest.mark.parametrize(("before", "ask", "status"), TABLE, ids=named)
async def test_a_payment_becomes_what_is_asked_and_a_repeat_changes_nothing(
    provider: Connections, order: UUID, before: list[Step], ask: Step, status: str
) -> None:
    for step in before:
        await step(provider, order)

    first, second = await ask(provider, order), await ask(provider, order)

    assert first == second
    assert first.status == status


@pytest.mark.parametrize(("before", "ask"), REFUSED, ids=named)
async def test_what_can_not_follow_is_refused_and_changes_nothing(
    provider: Connections, order: UUID, before: list[Step], ask: Step
) -> None:
    known = [await step(provider, order) for step in before][-1:]

    with pytest.raises(Refused):
        await ask(provider, order)

    if known:
        assert await before[-1](provider, order) == known[0]


@pytest.mark.parametrize("other", [Sum(12_51, "EUR"), Sum(12_50, "USD")])
async def test_another_amount_for_the_same_order_is_refused(provider: Connections, order: UUID, other: Sum) -> None:
    await authorise(provider, order)

    for ask in (payments.authorise, payments.capture):
        with pytest.raises(Refused):
            await ask(provider, order, other)


async def test_fifty_at_once_are_one_payment(provider: Connections, order: UUID) -> None:
    found = await asyncio.gather(*(authorise(provider, order) for _ in range(50)))

    assert {payment.status for payment in found} == {"authorised"}


async def test_paying_and_calling_off_at_once_has_one_winner(provider: Connections) -> None:
    for order in [uuid4() for _ in range(20)]:
        await asyncio.gather(authorise(provider, order), void(provider, order), return_exceptions=True)

        assert (await void(provider, order)).status == "voided"
        with pytest.raises(Refused):
            await capture(provider, order)


async def test_a_wrong_key_is_no_outcome(to: Connections, order: UUID) -> None:
    stranger = replace(to, settings=replace(to.settings, payments_key="another"))

    with pytest.raises(Unavailable):
        await authorise(stranger, order)
    with pytest.raises(Refused):
        await capture(to, order)


# --- what only the simulated provider does when it is told to -------------------------------------------------------


async def test_a_decline_is_an_outcome_with_its_reason(to: Connections, order: UUID) -> None:
    found = [await payments.authorise(to, order, Sum(99_01, "EUR")) for _ in range(2)]

    assert {(payment.status, payment.reason) for payment in found} == {
        ("declined", "the bank has declined the payment")
    }
    assert (await void(to, order)).status == "declined"


async def test_where_the_answer_never_comes_the_next_try_finds_it_charged(to: Connections, order: UUID) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as impatient:
        with pytest.raises(Unavailable):
            await payments.authorise(replace(to, session=impatient), order, Sum(99_02, "EUR"))

    assert (await payments.authorise(to, order, Sum(99_02, "EUR"))).status == "authorised"


async def test_whatever_is_asked_at_once_is_written_down_once(to: Connections, order: UUID, till: Till) -> None:
    for ask in (authorise, capture, refund):
        await asyncio.gather(*(ask(to, order) for _ in range(50)))

    (shown,) = await till.newest(10)
    assert [change.split()[0] for change in shown.movements] == ["authorised", "captured", "refunded"]


async def test_a_payment_may_be_pending_and_voided_before_it_is_known(to: Connections, order: UUID) -> None:
    assert (await payments.authorise(to, order, Sum(99_06, "EUR"))).status == "pending"

    assert (await void(to, order)).status == "voided"


# --- whatever else may answer there ---------------------------------------------------------------------------------


def payment(**changes: object) -> dict[str, object]:
    return {"order_id": str(UUID(int=7)), "status": "captured", "amount": 12_50, "currency": "EUR"} | changes


UNKNOWN = {
    "500": refuses(500),
    "503": refuses(503),
    "429": refuses(429),
    "401": refuses(401),
    "404": refuses(404),
    "a proxy's own 409": says("no", 409),
    "a redirect": says("", 302),
    "no JSON": says("<html>", 200),
    "another shape": answers({"id": 1}),
    "a status that is not known": answers(payment(status="frozen")),
    "a negative amount": answers(payment(amount=-1)),
    "a body without end": says("x" * 100_000, 200),
    "hanging up": hangs_up,
    "silence": is_silent,
}
WRONG = {
    "less": (payment(amount=1), WrongAmount),
    "another currency": (payment(currency="USD"), WrongAmount),
    "another order": (payment(order_id=str(UUID(int=8))), Refused),
    "nothing was done": (payment(status="authorised"), Refused),
}


async def asked(to: Connections, answer: Answer) -> tuple[Payment | Exception, web.Request | None]:
    """What becomes of a capture where this answers."""
    seen: list[web.Request] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", keep)
    async with TestServer(app) as server, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:
        told = replace(to.settings, payments_url=str(server.make_url("")).rstrip("/"))
        try:
            return await capture(replace(to, settings=told, session=session), UUID(int=7)), seen[0]
        except Exception as error:
            return error, seen[0]


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_what_is_no_answer_of_the_provider_leaves_the_outcome_unknown(to: Connections, answer: Answer) -> None:
    found, _ = await asked(to, answer)

    assert isinstance(found, Unavailable), found


@pytest.mark.parametrize("name", WRONG)
async def test_books_that_differ_from_the_order_are_a_failure_that_is_seen(to: Connections, name: str) -> None:
    said, expected = WRONG[name]

    found, _ = await asked(to, answers(said))

    assert type(found) is expected


async def test_the_provider_is_shown_key_idempotency_key_and_trace(to: Connections) -> None:
    with telemetry.trace(TRACEPARENT):
        found, request = await asked(to, answers(payment()))

    assert isinstance(found, Payment)
    assert request is not None
    assert request.path == f"/payments/{UUID(int=7)}/capture"
    assert request.headers["Authorization"] == f"Bearer {to.settings.payments_key}"
    assert request.headers["Idempotency-Key"] == f"capture-{UUID(int=7)}"
    assert request.headers["traceparent"].split("-")[1] == TRACEPARENT.split("-")[1]
