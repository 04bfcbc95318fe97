"""Entra by itself, and an application that signs people in there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.access import Issuer
from localcloud.assortment import PEOPLE
from localcloud.identity.entra import Entra
from localcloud.identity.granted import challenge_of
from localcloud.identity.switches import Switches
from localcloud.state import State
from localcloud.topology import Topology

ADA = PEOPLE[0].id
VERIFIER = "v" * 43
OPENID = "openid offline_access"


@dataclass(frozen=True, slots=True)
class Directory:
    client: TestClient[web.Request, web.Application]
    entra: Entra
    issuer: Issuer
    topology: Topology
    folder: Path

    def asked(self, **change: str) -> dict[str, str]:
        usual = {
            "client_id": str(self.topology.api.client_id),
            "redirect_uri": "http://localhost:3000",
            "response_type": "code",
            "scope": f"{OPENID} {self.topology.api.uri}/.default",
            "state": "s&t",
            "nonce": "n-1",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (usual | change).items() if value}

    async def sign_in(self, person: object = ADA, **change: str) -> dict[str, str]:
        url = f"/{self.topology.tenant}/oauth2/v2.0/authorize"
        form = {"person": str(person)}
        async with self.client.post(url, params=self.asked(**change), data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        return dict(parse_qsl(back.query or back.fragment))

    async def page(self, **change: str) -> tuple[int, str]:
        url = f"/{self.topology.tenant}/oauth2/v2.0/authorize"
        async with self.client.get(url, params=self.asked(**change), allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def redeem(self, code: str, /, **change: str) -> dict[str, Any]:
        usual = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
        return await self.token(**usual | {"redirect_uri": "http://localhost:3000"} | change)

    async def token(self, **form: str) -> dict[str, Any]:
        known = {"client_id": str(self.topology.api.client_id)}
        url = f"/{self.topology.tenant}/oauth2/v2.0/token"
        async with self.client.post(url, data=known | form) as answer:
            return dict(await answer.json())

    async def of_application(self, name: str, scope: str) -> dict[str, Any]:
        client = str(self.topology.identities[name].client_id)
        return await self.token(
            grant_type="client_credentials",
            scope=scope,
            client_id=client,
            client_secret=self.entra.desk.secrets[client],
        )

    def claims(self, token: str) -> dict[str, Any]:
        return self.issuer.verify(token, str(self.topology.api.client_id), datetime.now(UTC))


@asynccontextmanager
async def opened(folder: Path, issuer: Issuer, store: Topology) -> AsyncIterator[Directory]:
    own = Issuer(issuer.url, issuer.tenant, issuer.key)
    entra = Entra.open(own, store, State(folder), Switches(own, folder / "identity"))
    async with TestClient(TestServer(entra.app())) as client:
        yield Directory(client, entra, own, store, folder / "identity")
