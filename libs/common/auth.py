"""Who is calling: Entra ID v2 access tokens, checked against the issuer's published keys."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

import aiohttp
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from libs.common.errors import Unauthorized, Unavailable

LEEWAY_SECONDS = 60
KEYS_FRESH_SECONDS = 24 * 3600
KEYS_REFRESH_AT_MOST_EVERY = 300  # else tokens with invented key ids would hammer the issuer
TOKEN_TRUSTED_SECONDS = 300
TOKENS_KEPT = 10_000
TIMEOUT = aiohttp.ClientTimeout(total=5)


class Role(StrEnum):
    """App roles of our API."""

    ADMIN = "Store.Admin"
    CUSTOMER = "Store.Customer"
    SERVICE = "Store.Service"


@dataclass(frozen=True, slots=True)
class Caller:
    id: UUID  # the token's `oid`; a customer's id is theirs
    roles: frozenset[str]

    def is_(self, role: Role) -> bool:
        return role in self.roles


@dataclass(slots=True)
class Verifier:
    """Keys are cached for a day and outlive an outage of the issuer; good tokens are remembered for five minutes."""

    issuer: str
    audience: str
    session: aiohttp.ClientSession
    clock: Callable[[], datetime]
    _keys: KeySet | None = None
    _keys_at: float = 0.0
    _known: OrderedDict[bytes, tuple[float, Caller]] = field(default_factory=OrderedDict)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def caller(self, authorization: str) -> Caller:
        """Raises Unauthorized, or Unavailable while the issuer's keys can't be had."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized
        now, digest = self.clock().timestamp(), sha256(token.encode()).digest()
        until, caller = self._known.get(digest, (0.0, None))
        if caller is None or until <= now:
            claims = await self._claims(token, now)
            caller = _caller(claims)
            self._remember(digest, min(now + TOKEN_TRUSTED_SECONDS, claims["exp"]), caller)
        return caller

    def _remember(self, digest: bytes, until: float, caller: Caller) -> None:
        self._known[digest] = (until, caller)
        if len(self._known) > TOKENS_KEPT:
            self._known.popitem(last=False)

    async def _claims(self, token: str, now: float) -> dict[str, Any]:
        if now - self._keys_at > KEYS_FRESH_SECONDS:
            await self._fetch_keys(now, KEYS_FRESH_SECONDS)
        try:
            return self._decode(token, now)
        except InvalidKeyIdError:  # the issuer may have a new one
            if now - self._keys_at < KEYS_REFRESH_AT_MOST_EVERY:
                raise Unauthorized from None
        except (JoseError, ValueError) as error:
            raise Unauthorized from error
        await self._fetch_keys(now, KEYS_REFRESH_AT_MOST_EVERY)
        try:
            return self._decode(token, now)
        except (JoseError, ValueError) as error:
            raise Unauthorized from error

    def _decode(self, token: str, now: float) -> dict[str, Any]:
        if self._keys is None:
            raise Unavailable("the issuer's keys can't be read")
        claims = jwt.decode(token, self._keys, algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            oid={"essential": True},
            ver={"essential": True, "value": "2.0"},
        ).validate(claims)
        return claims

    async def _fetch_keys(self, now: float, older: float) -> None:
        """Where they are older than that; whoever asks meanwhile waits for the same answer. An outage leaves the keys
        we have; without any, `_decode` says so.
        """
        async with self._fetching:
            if now - self._keys_at < older:
                return
            try:
                configuration = await self._get(f"{self.issuer}/.well-known/openid-configuration")
                self._keys = KeySet.import_key_set(await self._get(configuration["jwks_uri"]))
            except (aiohttp.ClientError, TimeoutError, KeyError, TypeError, ValueError, JoseError):
                if self._keys is None:
                    return
            self._keys_at = now

    async def _get(self, url: str) -> Any:
        async with self.session.get(url, timeout=TIMEOUT, raise_for_status=True) as response:
            return await response.json()


def _caller(claims: dict[str, Any]) -> Caller:
    try:
        return Caller(UUID(claims["oid"]), frozenset(claims.get("roles", ())))
    except (ValueError, TypeError, AttributeError) as error:
        raise Unauthorized from error
