"""What a token allows: signatures by their key, Entra's by the roles of its identity."""

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote_plus

import pytest

from localcloud.access import Access
from localcloud.identity import identity_token
from localcloud.servicebus.claims import CLAIMS, LISTEN, RESOURCE, SEND, Claims, Key, by_role
from localcloud.servicebus.errors import InvalidToken
from localcloud.topology import Policy

NOON = 1_780_315_200_000
KEYS = {
    "all": Key("secret"),
    "sends": Key("send-secret", frozenset({SEND})),
    "catalog": Key("own", frozenset({SEND, LISTEN}), "catalog"),
}


def signed(name: str, key: str, resource: str = "sb://host/", *, until: int = NOON // 1000 + 60) -> str:
    quoted = quote_plus(resource)
    signature = b64encode(hmac.digest(key.encode(), f"{quoted}\n{until}".encode(), sha256)).decode()
    return f"SharedAccessSignature sr={quoted}&sig={quote_plus(signature)}&se={until}&skn={name}"


POLICIES = {"news": {"own": Policy(["Listen"], ["first", "second"]), "all": Policy(["Send"], ["third"])}}


@pytest.fixture
def claims(access: Access) -> Claims:
    return Claims(by_role(access), lambda: NOON, KEYS, lambda entity: POLICIES.get(entity, {}))


def test_a_signature_allows_what_its_key_does_below_its_resource(claims: Claims) -> None:
    assert claims.of(signed("all", "secret"), "any/subscriptions/s") == set(CLAIMS)
    assert claims.of(signed("sends", "send-secret"), "catalog") == {SEND}
    assert claims.of(signed("all", "secret", "https://host/Catalog"), "catalog") == set(CLAIMS)
    assert claims.of(signed("all", "secret", "sb://host/topic"), "topic/subscriptions/s") == set(CLAIMS)
    assert claims.of(signed("all", "secret", "sb://host/catalog"), "catalogue") == set()
    assert claims.of(signed("catalog", "own"), "catalog") == {SEND, LISTEN}
    assert claims.of(signed("catalog", "own"), "orders") == set()


def test_an_entitys_own_keys_allow_what_its_policy_says_there_and_below(claims: Claims) -> None:
    for key in ("first", "second"):
        assert claims.of(signed("own", key, "sb://host/News"), "news") == {LISTEN}
        assert claims.of(signed("own", key, "sb://host/news/subscriptions/s"), "news/subscriptions/s") == {LISTEN}
        assert claims.of(signed("own", key, "sb://host/news"), "newspaper") == set()
    assert claims.of(signed("all", "third", "sb://host/news"), "news") == {SEND}  # the namespace has one of this name
    with pytest.raises(InvalidToken):
        claims.of(signed("own", "first"), "news")
    with pytest.raises(InvalidToken):
        claims.of(signed("own", "first", "sb://host/orders"), "news")


@pytest.mark.parametrize(
    "token",
    [
        signed("all", "guessed"),
        signed("nobody", "secret"),
        signed("all", "secret", until=NOON // 1000),
        signed("all", "secret").replace("sb%3A", "sb%3a"),
        signed("all", "secret").replace("se=", "se=9"),
        "SharedAccessSignature ",
        "SharedAccessSignature sr=&sig=%FF&se=x&skn=all",
        "not.a.token",
        "x" * 100_000,
    ],
    ids=["key", "name", "expired", "resource", "expiry", "empty", "broken", "no token", "long"],
)
def test_what_is_no_signature_of_ours_is_refused(claims: Claims, token: str) -> None:
    with pytest.raises(InvalidToken):
        claims.of(token, "catalog")


def test_a_token_of_entra_allows_what_its_identity_has_roles_for(claims: Claims, access: Access) -> None:
    def token(identity: str) -> str:
        known = access.topology
        now = datetime.now(UTC)
        return identity_token(access.issuer, known, known.identities[identity], resource=RESOURCE, at=now)

    assert claims.of(token("operator"), "catalog") == set(CLAIMS)
    assert claims.of(token("operator"), "") == set(CLAIMS)
    assert claims.of(token("catalog"), "catalog") == {LISTEN}
    assert claims.of(token("functions"), "catalog") == {SEND}
    assert claims.of(token("functions"), "") == set()
