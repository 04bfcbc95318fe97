"""What a signed-in person has granted: as a code that is taken once, and as refresh tokens."""

import base64
import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from localcloud.identity.refusals import Refused

CODE_LIFETIME = timedelta(minutes=10)
REFRESH_LIFETIME = timedelta(hours=24)  # as for single-page applications
MOST_CODES = 1000
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class Grant(Struct, frozen=True):
    person: UUID
    client_id: str
    scope: str
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    grant: Grant
    redirect_uri: str
    challenge: str
    until: datetime


@dataclass(slots=True)
class Codes:
    """In memory: whoever signs in while the local cloud starts anew signs in again."""

    _open: OrderedDict[str, Code] = field(default_factory=OrderedDict)
    _redeemed: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def keep(self, code: str, of: Code) -> None:
        self._open[code] = of
        if len(self._open) > MOST_CODES:
            self._open.popitem(last=False)

    def redeem(self, code: str, verifier: str, redirect_uri: str, client_id: str, *, at: datetime) -> Grant:
        """Raises Refused. Whatever comes of it, the code is used up."""
        if code in self._redeemed:
            raise Refused(54005, "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry.")
        found = self._open.pop(code, None)
        if found is None or found.grant.client_id != client_id:
            raise Refused(9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
        self._redeemed[code] = None
        if len(self._redeemed) > MOST_CODES:
            self._redeemed.popitem(last=False)
        _check(found, verifier, redirect_uri, at)
        return found.grant


def _check(code: Code, verifier: str, redirect_uri: str, at: datetime) -> None:
    if at > code.until:
        raise _expired()
    if redirect_uri != code.redirect_uri:
        message = f"The reply address '{redirect_uri}' does not match the one of the authorization code."
        raise Refused(500112, "invalid_client", message)
    if not VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge_of(verifier), code.challenge):
        message = "The Code_Verifier does not match the code_challenge supplied in the authorization request."
        raise Refused(501481, "invalid_grant", message)


def challenge_of(verifier: str) -> str:
    """S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class _Refresh(Struct, frozen=True, array_like=True):
    grant: Grant
    until: int


@dataclass(frozen=True, slots=True)
class RefreshTokens:
    """Nothing is kept of them: they carry what was granted, and our seal."""

    key: bytes

    def token(self, grant: Grant, at: datetime) -> str:
        content = msgspec.json.encode(_Refresh(grant, int((at + REFRESH_LIFETIME).timestamp())))
        return base64.urlsafe_b64encode(self._seal(content) + content).decode()

    def grant(self, token: str, client_id: str, at: datetime) -> Grant:
        """Raises Refused."""
        try:
            sealed = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        seal, content = sealed[:32], sealed[32:]
        if not hmac.compare_digest(seal, self._seal(content)):
            raise Refused(9002313, "invalid_grant", "Invalid request. Request is malformed or invalid.")
        refresh = msgspec.json.decode(content, type=_Refresh)
        if refresh.grant.client_id != client_id:
            raise Refused(700005, "invalid_grant", "The refresh token was issued to another client.")
        if at.timestamp() > refresh.until:
            raise _expired()
        return refresh.grant

    def _seal(self, content: bytes) -> bytes:
        return hmac.digest(self.key, content, "sha256")


def _expired() -> Refused:
    message = "The provided authorization code or refresh token has expired due to inactivity."
    return Refused(70008, "invalid_grant", message)
