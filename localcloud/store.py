"""The store on this laptop: the programs it consists of, and what each is told."""

import functools
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from localcloud import azuresql, certificates, functions_keys, gateway, identity, postgres, topology
from localcloud.addresses import HOST, Addresses, Port
from localcloud.azurite import Azurite
from localcloud.certificates import Certificates
from localcloud.engines import SERVICES, Engine, Engines
from localcloud.postgres import Cluster
from localcloud.program import Program, listening
from localcloud.state import State, made_once
from localcloud.topology import Topology

PROJECT = Path(__file__).parents[1]
TOPOLOGY = PROJECT / "deploy/topology.yaml"
CLOUD = (
    Port.IDENTITY,
    Port.ISSUER,
    Port.EVENTGRID,
    Port.SERVICEBUS,
    Port.KEYVAULT,
    Port.SMTP,
    Port.EMAIL,
    Port.LETTERS,
    Port.BLOB,
    Port.INSPECTOR,
)
PASSED_ON = ("LOG_LEVEL", "CORS_ORIGINS")  # of our own environment
PAYMENTS_KEY_FILE = "payments.key"
MAIL_FROM = "Store <store@localhost>"
ANSWER = aiohttp.ClientTimeout(total=2)


def state_folder(chosen: Path | None) -> Path:
    """Where the state lies if nobody has chosen another folder. Root's unprivileged servers must get through to it."""
    if chosen is None:
        return postgres.state_folder(PROJECT)
    chosen.mkdir(parents=True, exist_ok=True, mode=0o711)
    return chosen.resolve()


@dataclass(frozen=True, slots=True)
class Store:
    topology: Topology
    state: State
    addresses: Addresses
    certificates: Certificates
    storage: Azurite
    engines: Engines
    cluster: Cluster | None = None  # None: nobody is on PostgreSQL, or it is elsewhere
    database: str = ""  # PostgreSQL's URL, with its password, of one who may create roles and databases
    azuresql: str = ""  # the same of Azure SQL

    @classmethod
    def open(cls, folder: Path, base_port: int, at: datetime, engines: Engines, also: Iterable[Engine] = ()) -> "Store":
        """Blocks: on first use it makes the certificates and the database cluster, which takes some seconds.

        `also` are engines that are needed beside those. Raises azuresql.Missing, postgres.Missing or postgres.Failed.
        """
        needed = {*engines.values(), *also}
        server = azuresql.server(os.environ) if "azuresql" in needed else ""
        known, addresses = topology.load(TOPOLOGY), Addresses(base_port)
        files = certificates.ensure(State(folder).certificates, at)
        storage = Azurite.open(folder, known.storage_account, addresses, files)
        cluster, database = None, os.environ.get("DATABASE_URL", "")
        if "postgres" in needed and not database:
            cluster = Cluster.open(folder, addresses.port(Port.POSTGRES))
            database = cluster.url
        return cls(known, State(folder), addresses, files, storage, engines, cluster, database, server)

    # --- the programs ------------------------------------------------------------------------------------------------

    def ground(self) -> list[Program]:
        """What the services stand on; each stands by itself."""
        own = [self.cluster.program()] if self.cluster else []
        return [*own, self._cloud(), self._payments()]

    def azurite(self) -> Program:
        return self.storage.program(PROJECT / ".tools")

    def workers(self) -> list[Program]:
        """The functions host, and the services that do not need Azurite to start."""
        return [*(self._service(name) for name in SERVICES if self.engines[name] != "tables"), self._functions()]

    def workers_on_tables(self) -> list[Program]:
        return [self._service(name) for name in self.on("tables")]

    def gateway(self) -> Program:
        text = gateway.render_local(self.topology, self.addresses, self.certificates.ca, os.environ)
        return gateway.program(self.state.folder / "gateway", text, self.addresses.port(Port.GATEWAY))

    def seeding(self) -> Program:
        return Program("seed", _python("localcloud.seed", {"state": self.state.folder}), _at_once)

    def copying(self, name: str, to: str) -> Program:
        """Of a service's data, to where `to` says: a URL without a password, or the name of a secret with the URL."""
        env = {**self._told_everyone(name), **self._told_service(name)}
        return Program(f"copy-{name}", [*_python(f"services.{name}", {}), "copy", "--to", to], _at_once, env=env)

    def databases_on_azuresql(self) -> Program:
        """Makes them. The URL, with its password, is told where other accounts can't read it."""
        argv = [*_python("localcloud.azuresql", {}), *self.on("azuresql")]
        return Program("azuresql", argv, _at_once, env={azuresql.VARIABLE: self.azuresql})

    def _cloud(self) -> Program:
        options = {"topology": TOPOLOGY, "state": self.state.folder, "base-port": self.addresses.base}
        if conditions := os.environ.get("EVENT_GRID"):
            options["event-grid"] = conditions
        return Program(
            name="cloud",
            argv=_python("localcloud", options),
            ready=functools.partial(_answers, f"{self.addresses.url(Port.LETTERS)}/state"),
            ports=tuple(map(self.addresses.port, CLOUD)),
        )

    def _payments(self) -> Program:
        port = self.addresses.port(Port.PAYMENTS)
        callback = f"{self.addresses.url(Port.GATEWAY)}/api/payment-callback"
        options = {"state": self.state.folder, "port": port, "callback": callback}
        return Program(
            name="payments",
            argv=_python("localcloud.payments", options),
            ready=functools.partial(listening, port),
            ports=(port,),
            env={"PAYMENTS_KEY": self.payments_key},
        )

    def _service(self, name: str) -> Program:
        at = Port[name.upper()]
        return Program(
            name=name,
            argv=[*_python(f"services.{name}", {}), "migrate", "--serve"],
            ready=functools.partial(_answers, f"{self.addresses.url(at)}/health/ready"),
            ports=(self.addresses.port(at),),
            env={**self._told_everyone(name), **self._told_service(name)},
        )

    def _functions(self) -> Program:
        port = self.addresses.port(Port.FUNCTIONS)
        options = {"app": PROJECT / "functions", "port": port, "keys": self.state.function_keys, "topology": TOPOLOGY}
        return Program(
            name="functions",
            argv=_python("localcloud.functions_host", options),
            ready=functools.partial(listening, port),
            ports=(port,),
            env={**self._told_everyone("functions"), **self._told_functions()},
        )

    # --- what they are told ------------------------------------------------------------------------------------------

    def _told_everyone(self, name: str) -> dict[str, str]:
        """Who one is, and whom to trust."""
        who, bundle = self.topology.identities[name], str(self.certificates.bundle)
        trust = {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle}
        said = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("OTEL_")}
        return {
            **identity.environment(self.addresses, identity.header(self.state), who),
            **trust,
            "LOG_LEVEL": "INFO",
            **said,
        }

    def _told_service(self, name: str) -> dict[str, str]:
        return {
            "HOST": HOST,
            "PORT": str(self.addresses.port(Port[name.upper()])),
            "STORE_URL": self.store_url(name),
            "KEY_VAULT": self.addresses.url(Port.KEYVAULT),
            "TOPIC_ENDPOINT": f"{self.addresses.url(Port.EVENTGRID)}/{name}/api/events",
            **self._told_of_bus(),
            "ISSUER": identity.issuer_url(self.addresses, self.topology.tenant),
            "AUDIENCE": str(self.topology.api.client_id),
            **self._told_of_media(),
        }

    def store_url(self, name: str) -> str:
        """Without a password: that is in Key Vault."""
        match self.engines[name]:
            case "postgres":
                own = urlsplit(self.database)
                query = own.query if "sslmode=" in own.query else f"{own.query}&sslmode=prefer"
                return f"postgresql://{name}@{own.hostname}:{own.port or 5432}/{name}?{query}"
            case "azuresql":
                return azuresql.without_password(self.azuresql, name)
            case _:
                return f"{self.storage.tables}/{name}"

    def told_operator(self) -> dict[str, str]:
        """Whoever looks after the store, with the tools that do so in Azure, too."""
        return {
            **self._told_everyone("operator"),
            "KEY_VAULT": self.addresses.url(Port.KEYVAULT),
            **self._told_of_bus(),
            "BLOB_ENDPOINT": f"{self.addresses.url(Port.BLOB)}/{self.topology.storage_account}",
            "FUNCTIONS_URL": self.addresses.url(Port.FUNCTIONS),
        }

    def _told_of_bus(self) -> dict[str, str]:
        return {
            "SERVICE_BUS": f"{self.topology.namespace}.servicebus.windows.net",
            "SERVICE_BUS_ENDPOINT": self.addresses.url(Port.SERVICEBUS),
        }

    def _told_of_media(self) -> dict[str, str]:
        return {
            "BLOB_ENDPOINT": f"{self.addresses.url(Port.BLOB)}/{self.topology.storage_account}",
            "MEDIA_URL": f"{self.addresses.url(Port.GATEWAY)}/media",
        }

    def _told_functions(self) -> dict[str, str]:
        return {
            **self._told_of_media(),
            "CUSTOMERS_URL": self.addresses.url(Port.CUSTOMERS),
            "ORDERS_URL": self.addresses.url(Port.ORDERS),
            "API_SCOPE": f"{self.topology.api.uri}/.default",
            "CATALOG_URL": self.addresses.url(Port.CATALOG),
            **_mail(self.addresses.url(Port.SMTP)),
            "MAIL_FROM": MAIL_FROM,
            "PAYMENTS_URL": self.addresses.url(Port.PAYMENTS),
            "PAYMENTS_KEY": self.payments_key,
            "ServiceBus__fullyQualifiedNamespace": f"{self.topology.namespace}.servicebus.windows.net",
            "SERVICE_BUS_ENDPOINT": self.addresses.url(Port.SERVICEBUS),
        }

    @property
    def payments_key(self) -> str:
        """Made on first use. In Azure it is in Key Vault."""
        made = made_once(self.state.folder / PAYMENTS_KEY_FILE, lambda: secrets.token_urlsafe(32).encode())
        return made.decode()

    @property
    def event_grid_key(self) -> str:
        """The local cloud has made it, by its start at the latest."""
        return functions_keys.read(self.state.function_keys / functions_keys.EVENT_GRID)

    # --- where they are, and on what ----------------------------------------------------------------------------------

    def on(self, engine: Engine) -> list[str]:
        """The services that keep their data there."""
        return [name for name in SERVICES if self.engines[name] == engine]

    def published(self) -> dict[str, str]:
        return {part.name.lower(): self.addresses.url(part) for part in Port}


def _mail(ours: str) -> dict[str, str]:
    """Into our mail box, or wherever the environment says."""
    elsewhere = {name: value for name in ("MAIL_URL", "MAIL_PASSWORD") if (value := os.environ.get(name))}
    return {"MAIL_URL": ours, **elsewhere}


def _python(module: str, options: Mapping[str, object]) -> list[str]:
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", module, *arguments]


async def _at_once() -> bool:
    return True


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.request("GET", url, timeout=ANSWER) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
