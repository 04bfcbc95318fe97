import base64
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt

from localcloud.access import KEY_FILE, Access, Forbidden, Issuer, Unauthorized
from localcloud.topology import Identity, Right, Topology

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
TENANT = UUID("df6a501a-89f2-4bb6-b9e9-3ed29876719f")
URL = f"https://127.0.0.1:8086/{TENANT}/v2.0"
VAULT = "https://vault.azure.net"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.open(tmp_path_factory.mktemp("stranger"), URL, TENANT)


def test_a_token_comes_back_as_its_claims(issuer: Issuer) -> None:
    token = issuer.token(VAULT, NOON, oid="o-1")

    claims = issuer.verify(token, VAULT, NOON)

    assert claims["oid"] == "o-1"
    assert (claims["iss"], claims["tid"], claims["ver"]) == (URL, str(TENANT), "2.0")
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60


def test_the_key_survives_a_restart_and_is_for_the_owner_only(tmp_path: Path) -> None:
    token = Issuer.open(tmp_path, URL, TENANT).token(VAULT, NOON)

    again = Issuer.open(tmp_path, URL, TENANT)

    assert again.verify(token, VAULT, NOON)["aud"] == VAULT
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_the_public_keys_hold_nothing_private(issuer: Issuer) -> None:
    (key,) = issuer.public_keys(NOON)["keys"]

    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}


@pytest.mark.parametrize(
    ("audience", "at"),
    [
        pytest.param("https://eventgrid.azure.net", NOON, id="another audience"),
        pytest.param(VAULT, NOON + timedelta(hours=24, seconds=61), id="expired"),
        pytest.param(VAULT, NOON - timedelta(seconds=61), id="not yet"),
    ],
)
def test_a_token_for_elsewhere_or_another_time_is_refused(issuer: Issuer, audience: str, at: datetime) -> None:
    token = issuer.token(VAULT, NOON)

    with pytest.raises(Unauthorized):
        issuer.verify(token, audience, at)


def test_a_strangers_signature_is_refused(issuer: Issuer, stranger: Issuer) -> None:
    token = stranger.token(VAULT, NOON)

    with pytest.raises(Unauthorized):
        issuer.verify(token, VAULT, NOON)


def test_another_issuers_name_is_refused(issuer: Issuer) -> None:
    token = issuer.token(VAULT, NOON, iss="https://login.example/")

    with pytest.raises(Unauthorized):
        issuer.verify(token, VAULT, NOON)


def test_a_token_without_an_end_is_refused(issuer: Issuer) -> None:
    token = jwt.encode({"alg": "RS256"}, {"iss": URL, "aud": VAULT}, issuer.key)

    with pytest.raises(Unauthorized):
        issuer.verify(token, VAULT, NOON)


def compact(*parts: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_the_public_key_is_no_shared_secret(issuer: Issuer) -> None:
    claims = {"iss": URL, "aud": VAULT, "exp": int(NOON.timestamp()) + 60}
    signed = compact(b'{"alg":"HS256"}', msgspec.json.encode(claims))
    signature = hmac.digest(issuer.key.as_pem(private=False), signed.encode(), "sha256")

    with pytest.raises(Unauthorized):
        issuer.verify(f"{signed}.{compact(signature)}", VAULT, NOON)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param("é.é.é", id="no ASCII"),
        pytest.param("\ud800.\ud800.\ud800", id="lone surrogates"),
        pytest.param(compact(b"[" * 9_000, b"{}", b"x"), id="deep header"),
        pytest.param(compact(b"[]", b"{}", b"x"), id="header is a list"),
        pytest.param(compact(b"null", b"{}", b"x"), id="header is null"),
        pytest.param(compact(b'{"alg":"none"}', b"{}", b"x"), id="no signature"),
        pytest.param(compact(b'{"alg":1}', b"{}", b"x"), id="algorithm is a number"),
        pytest.param(compact(b'{"alg":"RS256","crit":["x"]}', b"{}", b"x"), id="unknown crit"),
        pytest.param(compact(b'{"alg":"RS256","kid":["x"]}', b"{}", b"x"), id="kid is a list"),
    ],
)
def test_a_malformed_token_is_refused(issuer: Issuer, token: str) -> None:
    with pytest.raises(Unauthorized):
        issuer.verify(token, VAULT, NOON)


@given(header=st.binary(max_size=60), claims=st.binary(max_size=60), tail=st.text(max_size=20))
def test_nothing_a_stranger_sends_raises_anything_else(issuer: Issuer, header: bytes, claims: bytes, tail: str) -> None:
    for token in (tail, f"{compact(header, claims)}.{tail}"):
        with pytest.raises(Unauthorized):
            issuer.verify(token, VAULT, NOON)


CLIENT = UUID("00000000-0000-4000-8000-000000000001")


def access(issuer: Issuer, store: Topology, role: str, on: str) -> Access:
    somebody = Identity(client_id=CLIENT, rights=[Right(role=role, on=on)])
    return Access(issuer, msgspec.structs.replace(store, identities={"somebody": somebody}))


@pytest.mark.parametrize(
    ("has", "where", "needs", "on"),
    [
        ("Key Vault Secrets User", "secrets/orders-*", "Key Vault Secrets User", "secrets/orders-cursor-key"),
        ("Key Vault Secrets Officer", "secrets/*", "Key Vault Secrets User", "secrets/orders-cursor-key"),
        ("Azure Service Bus Data Owner", "queues/*", "Azure Service Bus Data Sender", "queues/orders"),
        ("Azure Service Bus Data Owner", "queues/*", "Azure Service Bus Data Receiver", "queues/orders"),
        ("Key Vault Secrets User", "secrets/orders-*", "Key Vault Secrets User", "secrets/Orders-cursor-key"),
        ("Key Vault Secrets User", "secrets/Orders-*", "Key Vault Secrets User", "secrets/orders-cursor-key"),
        ("Azure Service Bus Data Owner", "bus-topics/news", "Azure Service Bus Data Sender", "bus-topics/news/sub/s"),
    ],
)
def test_a_role_opens_what_it_grants(
    issuer: Issuer, store: Topology, has: str, where: str, needs: str, on: str
) -> None:
    token = issuer.token(VAULT, datetime.now(UTC), azp=str(CLIENT))

    assert access(issuer, store, has, where).require(token, VAULT, role=needs, on=on) == "somebody"


@pytest.mark.parametrize(
    ("has", "where", "needs", "on"),
    [
        ("Key Vault Secrets User", "secrets/orders-*", "Key Vault Secrets User", "secrets/catalog-cursor-key"),
        ("Azure Service Bus Data Owner", "bus-topics/news", "Azure Service Bus Data Sender", "bus-topics/newspaper"),
        ("Key Vault Secrets User", "secrets/*", "Key Vault Secrets Officer", "secrets/orders-cursor-key"),
        ("Azure Service Bus Data Sender", "queues/*", "Azure Service Bus Data Receiver", "queues/orders"),
    ],
)
def test_a_role_opens_nothing_else(issuer: Issuer, store: Topology, has: str, where: str, needs: str, on: str) -> None:
    token = issuer.token(VAULT, datetime.now(UTC), azp=str(CLIENT))

    with pytest.raises(Forbidden):
        access(issuer, store, has, where).require(token, VAULT, role=needs, on=on)


@pytest.mark.parametrize("claims", [{}, {"azp": "nobody"}, {"azp": ["list"]}])
def test_nobody_is_unauthorized(issuer: Issuer, store: Topology, claims: dict[str, Any]) -> None:
    token = issuer.token(VAULT, datetime.now(UTC), **claims)

    with pytest.raises(Unauthorized):
        access(issuer, store, "Key Vault Secrets User", "secrets/*").require(
            token, VAULT, role="Key Vault Secrets User", on="x"
        )
