"""Pages of which origins may ask from a browser, and read what is answered."""

import pytest

from tests.common.door import SHOP, Client


async def test_a_page_of_a_named_origin_may_ask_and_read_the_answer(client: Client) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}

    before = await client.options("/things", headers=asked)
    answer = await client.get("/things", headers={"Origin": SHOP})

    assert (before.status, before.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, POST")
    assert "Idempotency-Key" in before.headers["Access-Control-Allow-Headers"]
    for each in (before, answer):
        assert (each.headers["Access-Control-Allow-Origin"], each.headers["Vary"]) == (SHOP, "Origin")
        assert "Access-Control-Allow-Credentials" not in each.headers
    assert {"ETag", "RateLimit", "Retry-After"} < set(answer.headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{SHOP}.evil.example", "http://shop.example"])
async def test_a_page_of_another_origin_may_not(client: Client, origin: str) -> None:
    before = await client.options("/things", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    answer = await client.get("/things", headers={"Origin": origin})

    assert before.status == 405
    for each in (before, answer):
        assert "Access-Control-Allow-Origin" not in each.headers


async def test_a_refusal_can_be_read_by_the_page_too(client: Client) -> None:
    answer = await client.get("/own", headers={"Origin": SHOP})

    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, SHOP)
