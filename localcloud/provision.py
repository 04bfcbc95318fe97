"""What an operator does before the services can start: secrets, roles, databases. Twice is harmless."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp

from localcloud import azuresql, identity, keyvault, postgres
from localcloud.addresses import Port
from localcloud.processes import Processes
from localcloud.store import Store

TIMEOUT = aiohttp.ClientTimeout(total=10)
SECRET_BYTES = 32
PAYMENTS_KEY = "functions-payments-key"
EVENT_GRID_KEY = "functions-host-system-key-event-grid"  # so that an operator can call a function as Event Grid does


async def provision(store: Store, processes: Processes) -> None:
    """Tables are made by the services: a name is all there is to them."""
    await secrets_and_roles(store)
    if store.on("azuresql"):
        await processes.run(store.databases_on_azuresql())


async def containers(store: Store, environment: Mapping[str, str]) -> None:
    """Where media lie, and which pages may reach them. Raises azurite.Refused."""
    public, origins = store.topology.containers, environment.get("CORS_ORIGINS", "").split()
    everything = [*public, *store.topology.private_containers]
    await store.storage.prepare(everything, public, datetime.now(UTC), origins=origins)


async def secrets_and_roles(store: Store) -> None:
    """All but the databases on Azure SQL, which a program of their own makes."""
    passwords = {_password_of(name): azuresql.password(store.azuresql) for name in store.on("azuresql")}
    keys = {PAYMENTS_KEY: store.payments_key, EVENT_GRID_KEY: store.event_grid_key}
    made = await _secrets(store, {**passwords, **keys})
    if owners := store.on("postgres"):
        await postgres.prepare(store.database, {name: made[_password_of(name)] for name in owners})


async def destination(source: Store, target: Store, name: str, processes: Processes) -> str:
    """Where a service's data is to go, as `copy --to` takes it: made ready, and with no password in it."""
    match target.engines[name]:
        case "postgres":
            made = await _secrets(source, {})
            await postgres.prepare(target.database, {name: made[_password_of(name)]})
        case "azuresql":
            await processes.run(target.databases_on_azuresql())
            secret = f"{name}-store-url"  # until the move is done, its password is the other engine's
            await _secrets(source, {secret: azuresql.with_database(target.azuresql, name)})
            return secret
    return target.store_url(name)


def _password_of(service: str) -> str:
    return f"{service}-database-password"


async def _secrets(store: Store, given: Mapping[str, str]) -> dict[str, str]:
    """All that the topology names, and what is given; those that Key Vault lacks are made, and kept nowhere else."""
    connector = aiohttp.TCPConnector(ssl=store.certificates.client_context())
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        headers = {"Authorization": f"Bearer {await _operator_token(store, session)}"}
        vault = _Vault(session, f"{store.addresses.url(Port.KEYVAULT)}/secrets", headers)
        return {name: await vault.ensure(name, given.get(name)) for name in {*store.topology.secrets, *given}}


async def _operator_token(store: Store, session: aiohttp.ClientSession) -> str:
    query = {
        "api-version": identity.API_VERSION,
        "resource": keyvault.resource(store.addresses),
        "client_id": str(store.topology.identities["operator"].client_id),
    }
    headers = {"X-IDENTITY-HEADER": identity.header(store.state)}
    url = f"{store.addresses.url(Port.IDENTITY)}/msi/token"
    async with session.get(url, params=query, headers=headers, raise_for_status=True) as answer:
        return str((await answer.json())["access_token"])


@dataclass(frozen=True, slots=True)
class _Vault:
    """Its REST API: the SDK would double the launcher."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str]

    async def ensure(self, name: str, given: str | None) -> str:
        """What is given, else what is there, else something made up."""
        known = await self._read(name)
        wanted = given or known or secrets.token_urlsafe(SECRET_BYTES)
        if wanted != known:
            await self._write(name, wanted)
        return wanted

    async def _read(self, name: str) -> str:
        """Empty where there is none."""
        async with self.session.get(f"{self.url}/{name}?api-version=7.4", headers=self.headers) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:
                return ""
            answer.raise_for_status()
            return str((await answer.json())["value"])

    async def _write(self, name: str, value: str) -> None:
        url, body = f"{self.url}/{name}?api-version=7.4", {"value": value}
        async with self.session.put(url, headers=self.headers, json=body, raise_for_status=True):
            pass
