"""The simulated provider keeps what it has acknowledged, and calls back until it is heard. Its port's contract is held
to in tests/functions/test_payments.py.
"""

import asyncio
import hashlib
import hmac
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests.localcloud.payments.provider import KEY, TRACEPARENT, Provider, Storefront
from tests.waiting import so, until

pytestmark = pytest.mark.real

DECLINED, SILENT, REPEATED, LATE_YES, LATE_NO, OPEN, BLOCKED = range(9901, 9908)


@pytest.fixture
def store() -> Storefront:
    return Storefront()


@pytest.fixture
async def callback(store: Storefront) -> AsyncIterator[str]:
    async with store.open() as url:
        yield url


@pytest.fixture
async def provider(tmp_path: Path, callback: str) -> AsyncIterator[Provider]:
    async with Provider.start(tmp_path, callback) as provider:
        yield provider


async def test_kill_9_under_load_loses_no_charge_that_was_acknowledged(tmp_path: Path, callback: str) -> None:
    acknowledged: list[str] = []
    async with Provider.start(tmp_path, callback) as provider:

        async def pay() -> None:
            order = uuid4()
            try:
                if (await provider.ask("authorise", order))[0] == 200 and (await provider.ask("capture", order))[
                    0
                ] == 200:
                    acknowledged.append(str(order))
            except aiohttp.ClientError:
                pass

        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(pay())
            await so(lambda: len(acknowledged) >= 20)
            provider.process.send_signal(signal.SIGKILL)
    async with Provider.start(tmp_path, callback) as again:
        book = await again.book()

    assert 20 <= len(acknowledged) < 200
    assert [book[order] for order in acknowledged] == [["authorised", "captured"]] * len(acknowledged)


async def test_what_was_pending_when_it_was_killed_is_settled_and_told_after(
    tmp_path: Path, callback: str, store: Storefront
) -> None:
    order = uuid4()
    async with Provider.start(tmp_path, callback) as provider:
        assert (await provider.ask("authorise", order, LATE_YES))[0] == 202
        provider.process.send_signal(signal.SIGKILL)

    async with Provider.start(tmp_path, callback) as again:
        await so(lambda: bool(store.heard))
        assert await again.book() == {str(order): ["pending", "authorised"]}
    assert json.loads(store.heard[0][1])["status"] == "authorised"


async def test_a_callback_says_what_became_of_it_is_signed_and_goes_on_with_the_trace(
    provider: Provider, store: Storefront
) -> None:
    order = uuid4()

    await provider.ask("authorise", order, LATE_NO)
    await so(lambda: bool(store.heard))

    request, body = store.heard[0]
    said = json.loads(body)
    assert (said["order_id"], said["status"], said["amount"], said["currency"]) == (
        str(order),
        "declined",
        LATE_NO,
        "EUR",
    )
    told = request.headers["Payment-Timestamp"]
    expected = hmac.new(KEY.encode(), told.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert request.headers["Payment-Signature"] == expected
    assert request.headers["traceparent"] == TRACEPARENT


async def test_a_callback_is_repeated_under_its_id_until_it_is_taken(provider: Provider, store: Storefront) -> None:
    store.answers = [503, 500, 401]

    await provider.ask("authorise", uuid4(), LATE_YES)
    await so(lambda: len(store.heard) == 4)

    assert len({json.loads(body)["id"] for _, body in store.heard}) == 1


async def test_a_callback_may_come_three_times_at_once(provider: Provider, store: Storefront) -> None:
    await provider.ask("authorise", uuid4(), REPEATED)
    await so(lambda: len(store.heard) == 3)

    assert len({body for _, body in store.heard}) == 1


async def test_a_capture_is_refused_until_somebody_settles_it_and_then_told(
    provider: Provider, store: Storefront
) -> None:
    order = uuid4()
    await provider.ask("authorise", order, BLOCKED)

    status, problem = await provider.ask("capture", order, BLOCKED)
    assert (status, problem["detail"]) == (409, "the bank has blocked the card")
    assert [await provider.put(f"/book/{order}", {"status": each}) for each in ("authorised", "captured")] == [409, 200]

    await so(lambda: bool(store.heard))
    assert json.loads(store.heard[0][1])["status"] == "captured"
    assert (await provider.ask("capture", order, BLOCKED))[1]["status"] == "captured"


async def test_what_is_voided_while_it_is_pending_stays_so_and_is_not_told(
    provider: Provider, store: Storefront
) -> None:
    late, other = uuid4(), uuid4()

    await provider.ask("authorise", late, LATE_YES)
    assert (await provider.ask("void", late))[1]["status"] == "voided"
    await provider.ask("authorise", other, LATE_YES)
    await so(lambda: bool(store.heard))  # of the other, which is due after it

    assert {json.loads(body)["order_id"] for _, body in store.heard} == {str(other)}
    assert (await provider.book())[str(late)] == ["pending", "voided"]


async def test_what_is_open_is_settled_by_hand_once(provider: Provider, store: Storefront) -> None:
    order = uuid4()
    await provider.ask("authorise", order, OPEN)

    assert await provider.put(f"/book/{order}", {"status": "captured"}) == 409
    assert await provider.put(f"/book/{order}", {"status": "authorised"}) == 200
    assert await provider.put(f"/book/{order}", {"status": "declined"}) == 409

    await so(lambda: bool(store.heard))
    assert await provider.book() == {str(order): ["pending", "authorised"]}


async def test_it_is_down_for_as_long_as_it_is_told(provider: Provider) -> None:
    order = uuid4()

    assert await provider.put("/down", {"seconds": 0.5}) == 204

    assert (await provider.ask("authorise", order))[0] == 503
    assert await provider.book() == {}
    status, _ = await until(lambda: provider.ask("authorise", order), lambda answer: answer[0] == 200)
    assert status == 200


async def test_who_does_not_know_the_key_or_does_not_say_what_is_repeated_moves_nothing(provider: Provider) -> None:
    order = uuid4()
    wrong = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "another"}

    assert (await provider.ask("authorise", order, key="wrong"))[0] == 401
    async with provider.session.post(f"{provider.url}/payments/{order}/void", json={}, headers=wrong) as answer:
        assert answer.status == 422
    async with provider.session.get(f"{provider.url}/payments/{order}") as answer:
        assert answer.status == 401

    assert await provider.book() == {}


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1250", 2**53])
async def test_what_is_no_amount_is_refused(provider: Provider, amount: int) -> None:
    status, problem = await provider.ask("authorise", uuid4(), amount)

    assert (status, "amount" in problem["detail"]) == (422, True)


async def test_the_page_shows_the_payments(provider: Provider) -> None:
    order = uuid4()
    await provider.ask("authorise", order, DECLINED)

    async with provider.session.get(f"{provider.url}/") as answer:
        page = await answer.text()

    assert (str(order) in page, "the bank has declined the payment" in page) == (True, True)
