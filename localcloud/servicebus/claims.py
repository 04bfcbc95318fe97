"""What a token allows: a shared access signature by its key, Entra's token by the roles of its identity."""

import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Final
from urllib.parse import unquote_plus

from localcloud.access import Access, Forbidden
from localcloud.access import Unauthorized as BadToken
from localcloud.servicebus.addresses import parse
from localcloud.servicebus.errors import InvalidToken, UnknownEntity
from localcloud.topology import Policy

SEND, LISTEN, MANAGE = "Send", "Listen", "Manage"
CLAIMS: Final = (SEND, LISTEN, MANAGE)
SIGNATURE: Final = "SharedAccessSignature "
RESOURCE: Final = "https://servicebus.azure.net"  # the audience of Entra's tokens
ROLES: Final = {
    SEND: "Azure Service Bus Data Sender",
    LISTEN: "Azure Service Bus Data Receiver",
    MANAGE: "Azure Service Bus Data Owner",
}
LONGEST: Final = 16_384  # characters of a token

Authorize = Callable[[str, str, str], None]  # token, claim, entity; raises access.Unauthorized or access.Forbidden


@dataclass(frozen=True, slots=True)
class Key:
    """A shared access policy: of the whole namespace, or of one entity."""

    value: str
    claims: frozenset[str] = frozenset(CLAIMS)  # who may manage may all
    entity: str = ""  # in lower case; empty: all


@dataclass(frozen=True, slots=True)
class Claims:
    authorize: Authorize
    clock: Callable[[], int]  # milliseconds since the epoch
    keys: Mapping[str, Key] = field(default_factory=dict)
    policies: Callable[[str], Mapping[str, Policy]] = lambda _: {}  # of an entity, by name

    def of(self, token: str, entity: str) -> frozenset[str]:
        """What it allows with the entity. Raises InvalidToken."""
        if len(token) > LONGEST:
            raise InvalidToken("too long")
        if token.startswith(SIGNATURE):
            return self._signed(token.removeprefix(SIGNATURE), entity)
        return frozenset(claim for claim in CLAIMS if self._may(token, claim, entity))

    def _may(self, token: str, claim: str, entity: str) -> bool:
        try:
            self.authorize(token, claim, entity)
        except Forbidden:
            return False
        except BadToken as error:
            raise InvalidToken(error) from None
        return True

    def _signed(self, token: str, entity: str) -> frozenset[str]:
        parts = dict(part.partition("=")[::2] for part in token.split("&"))
        resource, until, name = parts.get("sr", ""), parts.get("se", ""), unquote_plus(parts.get("skn", ""))
        covers, signed = _covered(unquote_plus(resource)), unquote_plus(parts.get("sig", "")).encode()
        known = [key for key in self._keys(name, covers) if compare_digest(_signature(key, resource, until), signed)]
        if not known:
            raise InvalidToken("InvalidSignature: the token has an invalid signature")
        if not until.isascii() or not until.isdigit() or len(until) > 12 or int(until) * 1000 <= self.clock():
            raise InvalidToken("ExpiredToken: the token is expired")
        return frozenset[str]().union(
            *(key.claims for key in known if _is_below(entity, covers) and _is_below(entity, key.entity))
        )

    def _keys(self, name: str, covers: str) -> Iterator[Key]:
        """Of the namespace; and of the entity that the token is for, or of the topic above it."""
        if name in self.keys:
            yield self.keys[name]
        owner = covers.partition("/subscriptions/")[0]
        if policy := self.policies(owner).get(name):
            yield from (Key(value, frozenset(policy.rights), owner) for value in policy.keys)


def by_role(access: Access) -> Authorize:
    """Rights are on `queues/<name>`, or on `bus-topics/<name>` and what is below; on `queues/*` for the namespace."""

    def authorize(token: str, claim: str, entity: str) -> None:
        topic = entity.partition("/")[0] in {name.lower() for name in access.topology.bus_topics}
        on = f"bus-topics/{entity.partition('/rules/')[0]}" if topic else f"queues/{entity or '*'}"
        access.require(token, RESOURCE, role=ROLES[claim], on=on)

    return authorize


def _signature(key: Key, resource: str, until: str) -> bytes:
    """Over the resource as it was written, quoted."""
    return b64encode(hmac.digest(key.value.encode(), f"{resource}\n{until}".encode(), sha256))


def _covered(uri: str) -> str:
    try:
        return parse(uri.partition("?")[0]).entity
    except UnknownEntity:
        raise InvalidToken("the resource names no entity") from None


def _is_below(entity: str, path: str) -> bool:
    return not path or entity == path or entity.startswith(f"{path}/")
