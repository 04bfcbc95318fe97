"""How often a caller may ask, and who that is."""

from uuid import UUID

import pytest

from libs.common.auth import Role
from libs.common.entrance import Entrance
from libs.common.proxies import client_behind
from libs.common.rates import WINDOW_SECONDS, Rates
from libs.common.settings import Incomplete, ServiceSettings
from tests.common.door import TOLD, Opened
from tests.tokens import Tokens


def test_a_bucket_empties_and_fills_again_steadily() -> None:
    clock = [1000.0]
    rates = Rates(3, lambda: clock[0])

    first, second, third, fourth = (rates.take("ada") for _ in range(4))
    clock[0] += WINDOW_SECONDS / 3
    again, too_early = rates.take("ada"), rates.take("ada")
    clock[0] += 10 * WINDOW_SECONDS
    full = rates.take("ada")

    assert [left.requests for left in (first, second, third, fourth)] == [2, 1, 0, 0]
    assert [left.wait for left in (first, second, third, fourth)] == [0, 0, 0, 20]
    assert (third.full_in, fourth.full_in) == (60, 60)
    assert (again.wait, too_early.wait, full.requests) == (0, 20, 2)


def test_callers_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.common.rates.MOST_CALLERS", 2)
    rates = Rates(1, lambda: 0.0)

    waits = [rates.take(caller).wait for caller in ("a", "b", "a", "c", "a")]

    assert waits == [0, 0, 60, 0, 0]  # with c, a was forgotten
    assert len(rates._full_at) == 2


async def test_who_asks_too_often_hears_when_to_come_again_and_others_are_let_in(
    opened: Opened, tokens: Tokens
) -> None:
    async with opened(Entrance(Rates(2, lambda: 0.0))) as client:
        ada, bob = (tokens.bearer(Role.CUSTOMER, oid=UUID(int=n)) for n in (1, 2))
        answers = [await client.get("/own", headers=ada) for _ in range(3)]
        others = [await client.get("/own", headers=bob), await client.get("/things")]
        problem = await answers[2].json()

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"caller";r=1;t=30',
        '"caller";r=0;t=60',
        '"caller";r=0;t=60',
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"caller";q=2;w=60'}
    assert (answers[2].headers["Retry-After"], problem["title"]) == ("30", "Too many requests")
    assert [answer.status for answer in others] == [200, 200]


async def test_who_guesses_tokens_is_counted_by_address_and_functions_are_not_counted(
    opened: Opened, tokens: Tokens
) -> None:
    async with opened(Entrance(Rates(2, lambda: 0.0))) as client:
        guesses = [await client.get("/own", headers={"Authorization": "Bearer x"}) for _ in range(3)]
        functions = [await client.get("/own", headers=tokens.bearer(Role.SERVICE)) for _ in range(4)]
        probes = [await client.get("/health/live") for _ in range(4)]

    assert [answer.status for answer in guesses] == [401, 401, 429]
    assert {answer.status for answer in (*functions, *probes)} == {200}
    assert "RateLimit" not in functions[0].headers


@pytest.mark.parametrize(
    ("peer", "forwarded", "who"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # a stranger's word
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the first was made up by the second
        ("10.0.0.1", "198.51.100.1, 10.2.2.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "rubbish", ""),
        ("10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("10.0.0.1", "::ffff:198.51.100.1", "::ffff:198.51.100.1"),
    ],
)
def test_a_caller_has_the_address_that_trusted_proxies_name(peer: str, forwarded: str, who: str) -> None:
    assert client_behind("10.0.0.0/8")(peer, forwarded).replace("::ffff:c633:6401", "::ffff:198.51.100.1") == who


@pytest.mark.parametrize(
    "wrong", [{"cors_origins": "*"}, {"cors_origins": "https://a.example/x"}, {"cors_origins": "null"},
              {"trusted_proxies": "10.0.0.1/8"}, {"trusted_proxies": "any"}],
)  # fmt: skip
def test_a_door_that_is_told_nonsense_does_not_open(wrong: dict[str, str]) -> None:
    with pytest.raises(Incomplete):
        Entrance.told(ServiceSettings(**TOLD | wrong))


async def test_without_a_limit_nobody_is_counted(opened: Opened) -> None:
    async with opened(Entrance.told(ServiceSettings(**TOLD, rate_limit=0))) as client:
        answer = await client.get("/things")

    assert "RateLimit" not in answer.headers
