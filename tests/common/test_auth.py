"""Who is let in: the matrix of tokens, and what happens when the issuer is away."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from joserfc.jwk import KeySet, RSAKey

from libs.common.auth import Role, Verifier
from libs.common.errors import Unauthorized, Unavailable
from tests.forgeries import ADA, FORGERIES, good
from tests.tokens import AUDIENCE, Tokens


@pytest.fixture
async def away() -> AsyncIterator[Verifier]:
    """A verifier whose issuer does not answer."""
    async with aiohttp.ClientSession() as session:
        yield Verifier("http://127.0.0.1:1/v2.0", AUDIENCE, session, lambda: datetime.now(UTC))


async def test_a_good_token_says_who_and_in_what_role(tokens: Tokens, verifier: Verifier) -> None:
    caller = await verifier.caller(tokens.bearer(Role.CUSTOMER, oid=ADA)["Authorization"])

    assert (caller.id, set(caller.roles)) == (ADA, {"Store.Customer"})
    assert caller.is_(Role.CUSTOMER) and not caller.is_(Role.ADMIN)


async def test_a_persons_token_for_an_app_says_what_the_person_may(tokens: Tokens, verifier: Verifier) -> None:
    """`scp` and `azp` say which app asks and that it may ask; what may be done is in the person's roles alone."""
    delegated = {"scp": "Store.Access", "azp": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "azpacr": "0", "name": "Ada"}

    staff = await verifier.caller(tokens.bearer(Role.ADMIN, oid=ADA, **delegated)["Authorization"])
    bare = tokens.issuer.token(AUDIENCE, datetime.now(UTC), timedelta(hours=1), oid=str(ADA), **delegated)
    stranger = await verifier.caller(f"Bearer {bare}")

    assert (staff.id, set(staff.roles)) == (ADA, {"Store.Admin"})
    assert stranger.roles == frozenset()


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_bad_token_is_unauthorized(tokens: Tokens, verifier: Verifier, forgery: str) -> None:
    await verifier.caller(f"Bearer {good(tokens)}")

    with pytest.raises(Unauthorized):
        await verifier.caller(FORGERIES[forgery](tokens))


async def test_an_issuer_that_is_away_is_not_the_callers_fault(tokens: Tokens, away: Verifier) -> None:
    with pytest.raises(Unavailable):
        await away.caller(tokens.bearer(Role.ADMIN)["Authorization"])


async def test_a_key_that_the_issuer_has_changed_to_is_taken_up_within_minutes(
    tokens: Tokens, verifier: Verifier
) -> None:
    before, now = KeySet([RSAKey.generate_key(2048, {"kid": "before"})]), datetime.now(UTC)
    aged = replace(verifier, _keys=before, _keys_at=(now - timedelta(minutes=6)).timestamp())

    caller = await aged.caller(tokens.bearer(Role.CUSTOMER, oid=ADA)["Authorization"])

    assert caller.id == ADA


async def test_many_at_once_ask_the_issuer_once(tokens: Tokens) -> None:
    asked, now, counting = list[str](), datetime.now(UTC), aiohttp.TraceConfig()

    async def count(_: object, __: object, request: aiohttp.TraceRequestStartParams) -> None:
        asked.append(request.url.path)

    counting.on_request_start.append(count)
    async with aiohttp.ClientSession(trace_configs=[counting]) as session:
        verifier = Verifier(tokens.issuer.url, AUDIENCE, session, lambda: now)
        await asyncio.gather(*(verifier.caller(tokens.bearer(Role.ADMIN)["Authorization"]) for _ in range(20)))
        at_first = len(asked)
        verifier.clock = lambda: now + timedelta(minutes=6)
        unknown = FORGERIES["an unknown key"](tokens)
        refused = await asyncio.gather(*(verifier.caller(unknown) for _ in range(20)), return_exceptions=True)

    assert {type(each) for each in refused} == {Unauthorized}
    assert (at_first, len(asked)) == (2, 4)  # each time where the keys are, and the keys


def no_network(_: object) -> socket.socket:
    raise OSError("the network is down")


async def test_keys_that_are_known_outlive_an_outage(tokens: Tokens, verifier: Verifier) -> None:
    now = datetime.now(UTC)
    await verifier.caller(tokens.bearer(Role.ADMIN)["Authorization"])
    verifier.clock = lambda: now + timedelta(hours=25)
    fresh = tokens.issuer.token(AUDIENCE, now + timedelta(hours=25), oid=str(ADA))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=no_network)) as unplugged:
        verifier.session = unplugged
        caller = await verifier.caller(f"Bearer {fresh}")

    assert caller.id == ADA


async def test_a_remembered_token_ends_with_its_expiry(tokens: Tokens, verifier: Verifier) -> None:
    now = datetime.now(UTC)
    short = f"Bearer {tokens.issuer.token(AUDIENCE, now, timedelta(seconds=30), oid=str(ADA))}"
    await verifier.caller(short)
    verifier.clock = lambda: now + timedelta(minutes=3)

    with pytest.raises(Unauthorized):
        await verifier.caller(short)
