"""Who is let in: the matrix of tokens, and what happens when the issuer is away."""

import hmac
import socket
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from libs.common.auth import Role, Verifier
from libs.common.errors import Unauthorized, Unavailable
from localcloud.access import Issuer
from tests.tokens import AUDIENCE, TENANT, Tokens

ADA = UUID(int=7)


@pytest.fixture
async def away() -> AsyncIterator[Verifier]:
    """A verifier whose issuer does not answer."""
    async with aiohttp.ClientSession() as session:
        yield Verifier("http://127.0.0.1:1/v2.0", AUDIENCE, session, lambda: datetime.now(UTC))


async def test_a_good_token_says_who_and_in_what_role(tokens: Tokens, verifier: Verifier) -> None:
    caller = await verifier.caller(tokens.bearer(Role.CUSTOMER, oid=ADA)["Authorization"])

    assert (caller.id, set(caller.roles)) == (ADA, {"Store.Customer"})
    assert caller.is_(Role.CUSTOMER) and not caller.is_(Role.ADMIN)


def signed_with_the_public_key(tokens: Tokens) -> str:
    """The old confusion: HS256, with what everybody can read as the secret."""
    head, payload = (
        b64(b'{"alg":"HS256","kid":"%s"}' % (tokens.issuer.key.kid or "").encode()),
        good(tokens).split(".")[1],
    )
    mac = hmac.digest(tokens.issuer.key.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{b64(mac)}"


def of_an_unknown_key(tokens: Tokens) -> str:
    key = RSAKey.generate_key(2048, {"kid": "unknown"})
    claims = {"iss": tokens.issuer.url, "aud": AUDIENCE, "oid": str(ADA), "ver": "2.0", "exp": 2**40}
    return jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, key)


def tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[::-1]}"


def b64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def good(tokens: Tokens) -> str:
    return tokens.bearer(Role.ADMIN)["Authorization"].removeprefix("Bearer ")


NO_ALGORITHM = b64(b'{"alg":"none"}')
NOW = datetime.now(UTC)
FORGERIES: dict[str, Callable[[Tokens], str]] = {
    "nothing": lambda tokens: "",
    "another scheme": lambda tokens: f"Basic {good(tokens)}",
    "no token": lambda tokens: "Bearer rubbish",
    "tampered": lambda tokens: f"Bearer {tampered(good(tokens))}",
    "expired": lambda tokens: f"Bearer {tokens.issuer.token(AUDIENCE, NOW - timedelta(days=2), oid=str(ADA))}",
    "another audience": lambda tokens: f"Bearer {tokens.issuer.token('https://vault.azure.net', NOW, oid=str(ADA))}",
    "another issuer": lambda tokens: (
        f"Bearer {Issuer('https://evil.example/v2.0', TENANT, tokens.issuer.key).token(AUDIENCE, NOW, oid=str(ADA))}"
    ),
    "no person": lambda tokens: f"Bearer {tokens.issuer.token(AUDIENCE, NOW)}",
    "a person who is no id": lambda tokens: f"Bearer {tokens.issuer.token(AUDIENCE, NOW, oid='ada')}",
    "an unknown key": lambda tokens: f"Bearer {of_an_unknown_key(tokens)}",
    "the public key as a secret": lambda tokens: f"Bearer {signed_with_the_public_key(tokens)}",
    "alg none": lambda tokens: f"Bearer {NO_ALGORITHM}.{good(tokens).split('.')[1]}.",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_bad_token_is_unauthorized(tokens: Tokens, verifier: Verifier, forgery: str) -> None:
    await verifier.caller(f"Bearer {good(tokens)}")

    with pytest.raises(Unauthorized):
        await verifier.caller(FORGERIES[forgery](tokens))


async def test_an_issuer_that_is_away_is_not_the_callers_fault(tokens: Tokens, away: Verifier) -> None:
    with pytest.raises(Unavailable):
        await away.caller(tokens.bearer(Role.ADMIN)["Authorization"])


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
