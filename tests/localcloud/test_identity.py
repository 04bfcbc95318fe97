from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import DefaultAzureCredential
from joserfc import jwt
from joserfc.jwk import KeySet

from localcloud import identity
from localcloud.access import Issuer
from localcloud.addresses import Addresses, Port
from localcloud.identity import Role, discovery, principal, token_for
from localcloud.identity.managed import ManagedIdentity
from localcloud.identity.switches import Switches
from localcloud.topology import Topology

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECRET = "only for the store's own processes"
ASKED = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def endpoint(tmp_path: Path, issuer: Issuer, store: Topology) -> AsyncIterator[Client]:
    app = ManagedIdentity(issuer, store, SECRET, Switches(issuer, tmp_path)).app()
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def credential(
    endpoint: Client, store: Topology, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DefaultAzureCredential]:
    """Unmodified, told by nothing but the environment that it is the functions' identity."""
    addresses = Addresses((endpoint.make_url("/").port or 0) - Port.IDENTITY)
    for name, value in identity.environment(addresses, SECRET, store.identities["functions"]).items():
        monkeypatch.setenv(name, value)
    async with DefaultAzureCredential() as made:
        yield made


@pytest.mark.parametrize(
    "resource", ["https://vault.azure.net", "https://eventgrid.azure.net", "https://servicebus.azure.net/"]
)
async def test_the_default_credential_gets_a_token_for_an_azure_resource(
    credential: DefaultAzureCredential, issuer: Issuer, store: Topology, resource: str
) -> None:
    token = await credential.get_token(f"{resource}/.default")

    claims = issuer.verify(token.token, resource.rstrip("/"), datetime.now(UTC))
    assert claims["azp"] == claims["appid"] == str(store.identities["functions"].client_id)
    assert claims["idtyp"] == "app"
    assert "roles" not in claims
    assert token.expires_on == claims["exp"]


@pytest.mark.parametrize("resource", ["api://store", "df9c4575-bbd0-4236-b004-c82fc26ba986"])
async def test_the_default_credential_gets_a_token_for_our_own_api_with_its_roles(
    credential: DefaultAzureCredential, issuer: Issuer, store: Topology, resource: str
) -> None:
    token = await credential.get_token(f"{resource}/.default")

    claims = issuer.verify(token.token, str(store.api.client_id), datetime.now(UTC))
    assert claims["roles"] == ["Store.Service"]


async def test_a_token_for_storage_has_the_form_that_azurite_takes(
    credential: DefaultAzureCredential, issuer: Issuer, store: Topology
) -> None:
    token = await credential.get_token("https://storage.azure.com/.default")

    claims = jwt.decode(token.token, issuer.key).claims
    assert claims["iss"] == f"https://sts.windows.net/{store.tenant}/"
    assert (claims["aud"], claims["tid"]) == ("https://storage.azure.com", str(store.tenant))
    assert UUID(claims["oid"])
    assert claims["nbf"] < claims["exp"]


@pytest.mark.parametrize("name", ["IDENTITY_HEADER", "AZURE_CLIENT_ID"])
async def test_the_default_credential_of_a_stranger_gets_no_token(
    credential: DefaultAzureCredential, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(uuid4()))

    async with DefaultAzureCredential() as stranger:
        with pytest.raises(ClientAuthenticationError):
            await stranger.get_token("https://vault.azure.net/.default")


@pytest.mark.parametrize("shown", [{}, {"X-IDENTITY-HEADER": "guess"}, {"X-IDENTITY-HEADER": "\udcff"}])
async def test_nobody_gets_in_without_the_secret_header(endpoint: Client, shown: dict[str, str]) -> None:
    async with endpoint.get("/msi/token", params=ASKED, headers=shown) as answer:
        assert answer.status == 401
        assert (await answer.json())["statusCode"] == 401


@pytest.mark.parametrize(
    "change",
    [{"client_id": str(uuid4())}, {"client_id": "x"}, {}, {"resource": ""}, {"api-version": "2017-09-01"}],
)
async def test_a_wrong_question_is_answered_with_what_is_wrong(
    endpoint: Client, store: Topology, change: dict[str, str]
) -> None:
    known = {} if "client_id" in change or not change else {"client_id": str(store.identities["orders"].client_id)}

    async with endpoint.get(
        "/msi/token", params=ASKED | known | change, headers={"X-IDENTITY-HEADER": SECRET}
    ) as answer:
        assert answer.status == 400
        assert set(await answer.json()) == {"statusCode", "message"}


async def test_a_service_that_knows_only_the_issuer_can_check_a_token(issuer: Issuer, store: Topology) -> None:
    token = token_for(issuer, store, "admin", None, NOON)

    app = web.Application()
    app.add_routes(discovery.routes(issuer))
    async with TestClient(TestServer(app)) as client:
        found = await client.get(f"/{store.tenant}/v2.0/.well-known/openid-configuration")
        configuration = await found.json()
        published = await client.get("/" + configuration["jwks_uri"].split("/", 3)[3])
        keys = KeySet.import_key_set(await published.json())

    assert configuration["issuer"] == issuer.url
    assert jwt.decode(token, keys).claims["roles"] == ["Store.Admin"]
    assert "max-age" in found.headers["Cache-Control"]
    assert "max-age" in published.headers["Cache-Control"]


def test_a_customers_token_is_that_customers_for_a_working_day(issuer: Issuer, store: Topology) -> None:
    customer = uuid4()

    token = token_for(issuer, store, "customer", customer, NOON)

    claims = issuer.verify(token, str(store.api.client_id), NOON + timedelta(hours=8))
    assert claims["oid"] == claims["sub"] == str(customer)
    assert claims["roles"] == ["Store.Customer"]
    assert claims["exp"] == int((NOON + timedelta(hours=8)).timestamp())


@pytest.mark.parametrize("role", ["admin", "service"])
def test_staff_are_the_same_person_every_time(issuer: Issuer, store: Topology, role: Role) -> None:
    tokens = [token_for(issuer, store, role, None, NOON + timedelta(hours=hour)) for hour in (0, 1)]

    first, second = (jwt.decode(token, issuer.key).claims for token in tokens)
    assert first["oid"] == second["oid"]


@pytest.mark.parametrize("parameter", ["principal_id", "object_id"])
async def test_an_identity_may_be_asked_for_by_its_object_id(endpoint: Client, store: Topology, parameter: str) -> None:
    orders = store.identities["orders"]
    query = ASKED | {parameter: principal(store, orders)}

    async with endpoint.get("/msi/token", params=query, headers={"X-IDENTITY-HEADER": SECRET}) as answer:
        assert (await answer.json())["client_id"] == str(orders.client_id)


@pytest.mark.parametrize("request_", [("GET", "/switches"), ("PUT", "/switches"), ("POST", "/keys")])
async def test_the_switches_are_behind_the_same_secret(endpoint: Client, request_: tuple[str, str]) -> None:
    async with endpoint.request(*request_, json={"outage": True}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "body", [b"", b'{"\x80":1}', b"[]", b'{"outage":1}', b'{"lifetime_seconds":0}', b'{"more":true}']
)
async def test_a_switch_that_is_none_is_refused(endpoint: Client, body: bytes) -> None:
    async with endpoint.put("/switches", data=body, headers={"X-IDENTITY-HEADER": SECRET}) as answer:
        assert answer.status == 400
