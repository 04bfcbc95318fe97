import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets.aio import SecretClient

from localcloud import certificates, keyvault
from localcloud.access import Access, Issuer
from localcloud.addresses import Addresses, Port
from localcloud.certificates import Certificates
from localcloud.journal import Journal
from localcloud.keyvault import KeyVault
from localcloud.keyvault.wire import LARGEST_VALUE
from localcloud.topology import Topology
from tests.localcloud.credential import Credential

PASSWORD = "orders-database-password"
BEFORE = """CREATE TABLE secrets (number INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL,
    created INTEGER NOT NULL, body BLOB NOT NULL)"""
API = {"api-version": "7.4"}


@dataclass(frozen=True, slots=True)
class Vault:
    addresses: Addresses
    access: Access
    files: Certificates

    @property
    def url(self) -> str:
        return self.addresses.url(Port.KEYVAULT)

    def of(self, identity: str) -> SecretClient:
        """The unmodified SDK, with the challenge's resource verified; it only learns of our authority."""
        credential = Credential(self.access.issuer, self.access.topology, identity)
        return SecretClient(self.url, credential, connection_verify=str(self.files.ca))

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any], str]:
        """As the operator, past the SDK. The answer's status, body and challenge."""
        operator = Credential(self.access.issuer, self.access.topology, "operator")
        token = await operator.get_token(keyvault.resource(self.addresses))
        options = {"headers": {"Authorization": f"Bearer {token.token}"}, "params": API} | options
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, ssl=self.files.client_context(), **options) as answer,
        ):
            return answer.status, await answer.json(), answer.headers.get("WWW-Authenticate", "")


@asynccontextmanager
async def opened(
    folder: Path, access: Access, files: Certificates, clock: Callable[[], datetime] | None = None
) -> AsyncIterator[Vault]:
    listening = socket.create_server(("127.0.0.1", 0))
    addresses = Addresses(listening.getsockname()[1] - Port.KEYVAULT)
    async with KeyVault.open(folder / "vault.sqlite", access, keyvault.resource(addresses), clock) as vault:
        server = TestServer(vault.app(), socket_factory=lambda *_: listening)
        await server.start_server(ssl=files.server_context())
        async with server:
            yield Vault(addresses, access, files)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.ensure(tmp_path_factory.mktemp("certificates"), datetime.now(UTC))


@pytest.fixture
def access(issuer: Issuer, store: Topology) -> Access:
    return Access(issuer, store)


@pytest.fixture
async def vault(tmp_path: Path, access: Access, files: Certificates) -> AsyncIterator[Vault]:
    async with opened(tmp_path, access, files) as vault:
        yield vault


async def test_what_the_operator_sets_the_service_reads(vault: Vault) -> None:
    async with vault.of("operator") as operator, vault.of("orders") as orders:
        put = await operator.set_secret(PASSWORD, "püss\U0001f511", content_type="password", tags={"by": "make"})

        got = await orders.get_secret(PASSWORD)

    assert (got.name, got.value) == (PASSWORD, "püss\U0001f511")
    assert (got.properties.content_type, got.properties.tags) == ("password", {"by": "make"})
    assert got.id == put.id == f"{vault.url}/secrets/{PASSWORD}/{put.properties.version}"
    assert got.properties.enabled
    assert got.properties.created_on == put.properties.created_on


async def test_a_secret_that_is_set_again_has_two_versions(vault: Vault) -> None:
    async with vault.of("operator") as operator:
        first = await operator.set_secret(PASSWORD, "one")
        await operator.set_secret(PASSWORD, "two")

        latest = await operator.get_secret(PASSWORD)
        earlier = await operator.get_secret(PASSWORD, first.properties.version)

    assert (latest.value, earlier.value) == ("two", "one")


async def test_a_secrets_name_has_no_case(vault: Vault) -> None:
    async with vault.of("operator") as operator:
        await operator.set_secret(PASSWORD.upper(), "one")

        assert (await operator.get_secret(PASSWORD)).value == "one"


async def test_secrets_outlive_the_vault(tmp_path: Path, access: Access, files: Certificates) -> None:
    async with opened(tmp_path, access, files) as vault, vault.of("operator") as operator:
        put = await operator.set_secret(PASSWORD, "one")

    async with opened(tmp_path, access, files) as vault, vault.of("operator") as operator:
        got = await operator.get_secret(PASSWORD)

    assert (got.value, got.properties.version) == ("one", put.properties.version)


@pytest.mark.parametrize("version", [None, "0" * 32])
async def test_a_secret_that_is_not_there_is_not_found(vault: Vault, version: str | None) -> None:
    async with vault.of("operator") as operator:
        await operator.set_secret("catalog-cursor-key", "another")

        with pytest.raises(ResourceNotFoundError) as raised:
            await operator.get_secret(PASSWORD, version)

    assert raised.value.error is not None
    assert raised.value.error.code == "SecretNotFound"


async def test_a_service_reads_no_other_services_secret(vault: Vault) -> None:
    async with vault.of("operator") as operator, vault.of("catalog") as catalog:
        await operator.set_secret(PASSWORD, "one")

        with pytest.raises(HttpResponseError) as raised:
            await catalog.get_secret(PASSWORD)

    assert raised.value.status_code == 403
    assert raised.value.error is not None
    assert raised.value.error.code == "Forbidden"


async def test_a_service_sets_no_secret_not_even_its_own(vault: Vault) -> None:
    async with vault.of("orders") as orders:
        with pytest.raises(HttpResponseError) as raised:
            await orders.set_secret(PASSWORD, "one")

    assert raised.value.status_code == 403


@pytest.mark.parametrize("name", ["under_score", "dot.ted", "ünder", "x" * 128, "a%20b"])
async def test_a_bad_name_is_refused(vault: Vault, name: str) -> None:
    status, body, _ = await vault.ask("GET", f"/secrets/{name}")

    assert (status, body["error"]["code"]) == (400, "BadParameter")


async def test_a_value_may_have_25_kilobytes(vault: Vault) -> None:
    async with vault.of("operator") as operator:
        await operator.set_secret(PASSWORD, "\x01" * LARGEST_VALUE)

        with pytest.raises(HttpResponseError) as raised:
            await operator.set_secret(PASSWORD, "é" * (LARGEST_VALUE // 2) + "x")

    assert raised.value.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"value":1}',
        b'{"value":"\\ud800"}',
        b'{"value":"x","kind":1}',
        b'{"value":"x","attributes":{"exp":1,"nbf":2}}',
        b'{"value":"x","attributes":{"exp":-1}}',
        b"[" * 9000,
    ],
)
async def test_a_body_that_says_something_else_is_refused(vault: Vault, body: bytes) -> None:
    status, answer, _ = await vault.ask("PUT", f"/secrets/{PASSWORD}", data=body)

    assert (status, answer["error"]["code"]) == (400, "BadParameter")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eDp5"}])
async def test_whoever_has_no_good_token_is_told_where_to_get_one(vault: Vault, headers: dict[str, str]) -> None:
    status, body, challenge = await vault.ask("GET", f"/secrets/{PASSWORD}", headers=headers)

    assert (status, body["error"]["code"]) == (401, "Unauthorized")
    assert f'resource="https://0.0.1:{vault.addresses.port(Port.KEYVAULT)}"' in challenge
    assert f'/{vault.access.topology.tenant}"' in challenge


@pytest.mark.parametrize("query", [{}, {"api-version": "1.0"}, {"api-version": ""}])
async def test_a_request_names_the_version_of_the_api(vault: Vault, query: dict[str, str]) -> None:
    status, body, _ = await vault.ask("GET", "/secrets", params=query)

    assert (status, body["error"]["code"]) == (400, "BadParameter")


@pytest.mark.parametrize("query", [{"maxresults": "0"}, {"maxresults": "26"}, {"maxresults": "x"}, {"$skiptoken": "?"}])
async def test_a_page_that_is_none_is_refused(vault: Vault, query: dict[str, str]) -> None:
    status, body, _ = await vault.ask("GET", "/secrets", params=API | query)

    assert (status, body["error"]["code"]) == (400, "BadParameter")


@pytest.mark.parametrize(("method", "path"), [("GET", "/keys"), ("POST", "/secrets"), ("DELETE", "/secrets")])
async def test_what_the_vault_does_not_know_it_says_in_its_own_form(vault: Vault, method: str, path: str) -> None:
    status, body, _ = await vault.ask(method, path)

    assert status in (404, 405)
    assert body["error"]["code"] == "BadParameter"


async def test_a_service_lists_the_versions_of_its_own_secret_and_nothing_else(vault: Vault) -> None:
    async with vault.of("operator") as operator, vault.of("orders") as orders:
        await operator.set_secret(PASSWORD, "one")

        assert len([each async for each in orders.list_properties_of_secret_versions(PASSWORD)]) == 1
        for listing in (orders.list_properties_of_secrets(), orders.list_deleted_secrets()):
            with pytest.raises(HttpResponseError) as raised:
                [each async for each in listing]
            assert raised.value.status_code == 403


@pytest.mark.parametrize("call", ["delete_secret", "backup_secret", "get_deleted_secret", "purge_deleted_secret"])
async def test_a_service_changes_nothing_not_even_its_own(vault: Vault, call: str) -> None:
    async with vault.of("operator") as operator, vault.of("orders") as orders:
        await operator.set_secret(PASSWORD, "one")

        with pytest.raises(HttpResponseError) as raised:
            await getattr(orders, call)(PASSWORD)

    assert raised.value.status_code == 403


async def test_what_is_deleted_is_purged_by_itself_after_ninety_days(
    tmp_path: Path, access: Access, files: Certificates
) -> None:
    now = [datetime.now(UTC)]
    async with opened(tmp_path, access, files, lambda: now[0]) as vault, vault.of("operator") as operator:
        await operator.set_secret(PASSWORD, "one")
        deleted = await operator.delete_secret(PASSWORD)

        now[0] += timedelta(days=90)

        assert deleted.scheduled_purge_date is not None
        assert [each async for each in operator.list_deleted_secrets()] == []
        await operator.set_secret(PASSWORD, "two")
        assert len([each async for each in operator.list_properties_of_secret_versions(PASSWORD)]) == 1


async def test_another_vaults_backup_is_refused(tmp_path: Path, access: Access, files: Certificates) -> None:
    async with opened(tmp_path / "one", access, files) as vault, vault.of("operator") as operator:
        await operator.set_secret(PASSWORD, "one")
        backup = await operator.backup_secret(PASSWORD)

    async with opened(tmp_path / "two", access, files) as vault, vault.of("operator") as operator:
        with pytest.raises(HttpResponseError) as raised:
            await operator.restore_secret_backup(backup)

    assert raised.value.status_code == 400


async def test_a_secret_of_an_earlier_local_cloud_is_read(tmp_path: Path, access: Access, files: Certificates) -> None:
    row = ("orders-cursor-key", "0" * 32, 1_700_000_000, b'{"value":"old"}')
    async with Journal.open(tmp_path / "vault.sqlite", BEFORE) as journal:
        await journal.write(("INSERT INTO secrets (name, version, created, body) VALUES (?, ?, ?, ?)", row))

    async with opened(tmp_path, access, files) as vault, vault.of("orders") as orders:
        got = await orders.get_secret("orders-cursor-key")

    assert (got.value, got.properties.enabled) == ("old", True)
    assert got.properties.updated_on == got.properties.created_on
