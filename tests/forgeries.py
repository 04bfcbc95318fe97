"""Tokens that must not let anybody in, each bad in one way."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import RSAKey

from libs.common.auth import Role
from localcloud.access import Issuer
from tests.tokens import AUDIENCE, TENANT, Tokens

ADA = UUID(int=7)
NOW = datetime.now(UTC)
EVERY_ROLE = [role.value for role in Role]


def good(tokens: Tokens) -> str:
    return tokens.bearer(*Role, oid=ADA)["Authorization"].removeprefix("Bearer ")


def signed_with_the_public_key(tokens: Tokens) -> str:
    """The old confusion: HS256, with what everybody can read as the secret."""
    head, payload = (
        b64(b'{"alg":"HS256","kid":"%s"}' % (tokens.issuer.key.kid or "").encode()),
        good(tokens).split(".")[1],
    )
    mac = hmac.digest(tokens.issuer.key.as_pem(private=False), f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{b64(mac)}"


@cache
def unknown_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "unknown"})


def of_an_unknown_key(tokens: Tokens) -> str:
    claims = {"iss": tokens.issuer.url, "aud": AUDIENCE, "oid": str(ADA), "ver": "2.0", "exp": 2**40}
    return jwt.encode({"alg": "RS256", "kid": "unknown"}, claims | {"roles": EVERY_ROLE}, unknown_key())


def tampered(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[::-1]}"


def b64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def told(issuer: Issuer, audience: str = AUDIENCE, at: datetime = NOW, oid: str = str(ADA)) -> str:
    return f"Bearer {issuer.token(audience, at, oid=oid, roles=EVERY_ROLE)}"


NO_ALGORITHM = b64(b'{"alg":"none"}')
FORGERIES: dict[str, Callable[[Tokens], str]] = {
    "nothing": lambda tokens: "",
    "another scheme": lambda tokens: f"Basic {good(tokens)}",
    "no token": lambda tokens: "Bearer rubbish",
    "tampered": lambda tokens: f"Bearer {tampered(good(tokens))}",
    "expired": lambda tokens: told(tokens.issuer, at=NOW - timedelta(days=2)),
    "another audience": lambda tokens: told(tokens.issuer, "https://vault.azure.net"),
    "another issuer": lambda tokens: told(Issuer("https://evil.example/v2.0", TENANT, tokens.issuer.key)),
    "no person": lambda tokens: f"Bearer {tokens.issuer.token(AUDIENCE, NOW, roles=EVERY_ROLE)}",
    "a person who is no id": lambda tokens: told(tokens.issuer, oid="ada"),
    "an unknown key": lambda tokens: f"Bearer {of_an_unknown_key(tokens)}",
    "the public key as a secret": lambda tokens: f"Bearer {signed_with_the_public_key(tokens)}",
    "alg none": lambda tokens: f"Bearer {NO_ALGORITHM}.{good(tokens).split('.')[1]}.",
}
