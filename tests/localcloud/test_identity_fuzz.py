"""Whatever a stranger sends to Entra or to the vault is answered, and the answer blames them."""

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from localcloud.access import Access, Issuer
from localcloud.identity.entra import Entra
from localcloud.identity.switches import Switches
from localcloud.keyvault import KeyVault
from localcloud.state import State
from localcloud.topology import Topology
from tests.localcloud.credential import Credential

EXAMPLES = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
A_FEW = 12  # requests for each server

WORDS = st.sampled_from(
    [
        "client_id",
        "scope",
        "grant_type",
        "code",
        "refresh_token",
        "authorization_code",
        "client_credentials",
        "openid",
        "api://store/.default",
        "df9c4575-bbd0-4236-b004-c82fc26ba986",
        "redirect_uri",
        "http://localhost",
        "state",
        "client_secret",
        "code_verifier",
        "person",
        "S256",
        "response_type",
        "code_challenge",
        "%",
        "&",
        "=",
        "%ff",
    ]
)
FORMS = st.one_of(st.binary(max_size=80), st.lists(WORDS, max_size=9).map(lambda words: "=".join(words).encode()))
FORMS |= st.dictionaries(WORDS, WORDS | st.text(max_size=9), max_size=6).map(
    lambda form: "&".join(f"{name}={value}" for name, value in form.items()).encode(errors="ignore")
)
QUOTED = FORMS.map(
    lambda form: "".join(f"%{byte:02x}" if byte > 126 or byte < 33 or byte == 35 else chr(byte) for byte in form)
)
PARTS = st.sampled_from(
    ["secrets", "deletedsecrets", "versions", "restore", "recover", "backup", "a", "%00", "..", "%ff", ""]
)
BODIES = st.binary(max_size=60) | st.recursive(
    st.sampled_from([b"1", b'"x"', b"null", b"-1", b"1e999", b'"\\ud800"']),
    lambda inner: st.tuples(
        st.sampled_from([b"value", b"attributes", b"tags", b"exp", b"enabled", b"\xff"]), inner
    ).map(lambda pair: b'{"' + pair[0] + b'":' + pair[1] + b"}"),
    max_leaves=4,
)
ASKED = st.lists(
    st.tuples(st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE"]), st.lists(PARTS, max_size=3), BODIES, QUOTED),
    min_size=1,
    max_size=A_FEW,
)


@pytest.fixture
def entra(tmp_path: Path, issuer: Issuer, store: Topology) -> Entra:
    return Entra.open(issuer, store, State(tmp_path), Switches(issuer, tmp_path))


@EXAMPLES
@given(asked=st.lists(st.tuples(st.sampled_from(["GET", "POST"]), QUOTED, FORMS), min_size=1, max_size=A_FEW))
async def test_entra_answers_anything(entra: Entra, asked: list[tuple[str, str, bytes]]) -> None:
    async with TestClient(TestServer(entra.app())) as client:
        for method, query, form in asked:
            for place in ("authorize", "token"):
                address = URL(f"/{entra.desk.issuer.tenant}/oauth2/v2.0/{place}?{query}", encoded=True)
                async with client.request(method, address, data=form, allow_redirects=False) as answer:
                    await answer.read()
                    assert answer.status in (200, 302) or 400 <= answer.status < 500, await answer.text()


@EXAMPLES
@given(asked=ASKED)
async def test_the_vault_answers_anything(
    tmp_path: Path, issuer: Issuer, store: Topology, asked: list[tuple[str, list[str], bytes, str]]
) -> None:
    token = (await Credential(issuer, store, "operator").get_token("vault/.default")).token
    async with (
        KeyVault.open(tmp_path / "vault.sqlite", Access(issuer, store), "vault") as vault,
        TestClient(TestServer(vault.app())) as client,
    ):
        for method, parts, body, query in asked:
            address = URL(f"/{'/'.join(['secrets', *parts])}?api-version=7.4&{query}", encoded=True)
            headers = {"Authorization": f"Bearer {token}"}
            async with client.request(method, address, data=body, headers=headers) as answer:
                await answer.read()
                assert answer.status < 500, await answer.text()
