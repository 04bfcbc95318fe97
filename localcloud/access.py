"""Who is asking, and may they? Tokens of the local issuer, checked against the topology's rights."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from localcloud.state import made_once, write_private
from localcloud.topology import Identity, Right, Topology

LIFETIME = timedelta(hours=24)  # what Azure gives a managed identity
LEEWAY_SECONDS = 60
KEY_FILE = "issuer.json"
EARLIER_FILE = "issuer-earlier.json"
MOST_EARLIER = 8

# What an Azure role grants beside itself.
INCLUDED = {
    "Key Vault Secrets Officer": ("Key Vault Secrets User",),
    "Azure Service Bus Data Owner": ("Azure Service Bus Data Sender", "Azure Service Bus Data Receiver"),
}


class Unauthorized(Exception):
    """The token is missing, not ours, expired or for another audience."""


class Forbidden(Exception):
    """The token is good, but its identity has no role for this."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The public half of a key that signs no more, but has signed what still counts."""

    key: RSAKey
    until: int  # seconds since 1970


@dataclass(slots=True)
class Issuer:
    """Makes and checks RS256 tokens in the form of Entra ID v2; the keys lie in the state folder."""

    url: str  # the `iss` of every token: https://…/<tenant>/v2.0
    tenant: UUID
    key: RSAKey
    earlier: list[Earlier] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, url: str, tenant: UUID) -> "Issuer":
        """The key is made on first use."""
        key = _key(msgspec.json.decode(made_once(folder / KEY_FILE, _new_key)))
        earlier = msgspec.json.decode(made_once(folder / EARLIER_FILE, lambda: b"[]"))
        return cls(url, tenant, key, [Earlier(_key(jwk), until) for jwk, until in earlier])

    def rotate(self, folder: Path, at: datetime) -> None:
        """Signs with a new key from now on; the old one counts until all it signed has ended. Blocks, to make the key.

        The old one is written down first: whoever is killed before the new one is there has it twice.
        """
        ends = int((at + LIFETIME).timestamp()) + LEEWAY_SECONDS
        earlier = [*self._counting(at), Earlier(_key(self.key.as_dict(private=False)), ends)][-MOST_EARLIER:]
        kept = [(each.key.as_dict(private=False), each.until) for each in earlier]
        write_private(folder / EARLIER_FILE, msgspec.json.encode(kept))
        new = _new_key()
        write_private(folder / KEY_FILE, new)
        self.key, self.earlier = _key(msgspec.json.decode(new)), earlier

    def token(self, audience: str, at: datetime, lifetime: timedelta = LIFETIME, **claims: Any) -> str:
        """`claims` are added to the standard ones: `oid`, `roles`, `azp`, `idtyp`, …"""
        times = {"iat": int(at.timestamp()), "nbf": int(at.timestamp()), "exp": int((at + lifetime).timestamp())}
        standard = {"iss": self.url, "aud": audience, "tid": str(self.tenant), "ver": "2.0"}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, standard | times | claims, self.key)

    def verify(self, token: str, audience: str, at: datetime) -> dict[str, Any]:
        """The token's claims. Raises Unauthorized."""
        try:
            claims = jwt.decode(token, self._keys(at), algorithms=["RS256"]).claims
            rules = jwt.JWTClaimsRegistry(
                now=int(at.timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self.url},
                aud={"essential": True, "value": audience},
                exp={"essential": True},
            )
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise Unauthorized(str(error)) from error
        return claims

    def public_keys(self, at: datetime) -> dict[str, Any]:
        return dict(self._keys(at).as_dict(private=False))

    def _keys(self, at: datetime) -> KeySet:
        earlier = [each.key for each in self._counting(at) if each.key.kid != self.key.kid]
        return KeySet([self.key, *earlier])

    def _counting(self, at: datetime) -> list[Earlier]:
        return [each for each in self.earlier if each.until > at.timestamp()]


@dataclass(frozen=True, slots=True)
class Access:
    issuer: Issuer
    topology: Topology

    def require(self, token: str, audience: str, *, role: str, on: str) -> str:
        """The name of the identity that asks. Raises Unauthorized or Forbidden.

        `on` is e.g. `topics/orders`, `queues/catalog`, `secrets/orders-cursor-key`.
        """
        claims = self.issuer.verify(token, audience, datetime.now(UTC))
        name, identity = self._identity(claims.get("azp"))
        if not any(_grants(right, role) and _covers(right.on, on) for right in identity.rights):
            raise Forbidden(f"{name} does not have the role {role} on {on}")
        return name

    def _identity(self, client_id: str | None) -> tuple[str, Identity]:
        for name, identity in self.topology.identities.items():
            if str(identity.client_id) == client_id:
                return name, identity
        raise Unauthorized(f"no identity has the client id {client_id}")


def _grants(right: Right, role: str) -> bool:
    return role == right.role or role in INCLUDED.get(right.role, ())


def _covers(pattern: str, on: str) -> bool:
    """There and on what lies below. Names in Azure have no case."""
    pattern, on = pattern.lower(), on.lower()
    return fnmatchcase(on, pattern) or fnmatchcase(on, f"{pattern}/*")


def _key(jwk: dict[str, Any]) -> RSAKey:
    key = RSAKey.import_key(jwk)
    key.ensure_kid()
    return key


def _new_key() -> bytes:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
    return msgspec.json.encode(key.as_dict(private=True))
