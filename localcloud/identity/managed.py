"""The managed-identity endpoint: App Service's protocol (api-version 2019-08-01), which Container Apps speaks too."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from localcloud.access import LIFETIME, Issuer
from localcloud.identity import API_VERSION, identity_token, principal
from localcloud.identity.switches import Switches
from localcloud.topology import Identity, Topology

LARGEST_REQUEST = 4096
BY_OBJECT = ("principal_id", "object_id")  # App Service's name, and the one that the SDK sends


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    issuer: Issuer
    topology: Topology
    secret: str
    switches: Switches

    def app(self) -> web.Application:
        """With the switches, which the same secret guards."""
        app = web.Application(middlewares=[self._guard], client_max_size=LARGEST_REQUEST)
        app.add_routes([web.get("/msi/token", self._token), *self.switches.routes()])
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        shown = request.headers.get("X-IDENTITY-HEADER", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, self.secret.encode()):
            return _refused(401, "The X-IDENTITY-HEADER is missing or wrong.")
        return await handler(request)

    async def _token(self, request: web.Request) -> web.Response:
        if self.switches.setting.outage:
            return _refused(503, "The identity service is unavailable, try again.")
        resource = request.query.get("resource", "").rstrip("/")
        if request.query.get("api-version") != API_VERSION or not resource:
            return _refused(400, f"The api-version {API_VERSION} and a resource are needed.")
        identity = self._identity(request.query)
        if identity is None:
            return _refused(400, "No User Assigned or Delegated Managed Identity found for specified ClientId.")
        return self._answer(identity, resource, datetime.now(UTC))

    def _identity(self, query: Mapping[str, str]) -> Identity | None:
        client = query.get("client_id", "").lower()
        oid = next((query[name].lower() for name in BY_OBJECT if name in query), "")
        known = self.topology.identities.values()
        found = (each for each in known if str(each.client_id) == client or principal(self.topology, each) == oid)
        return next(found, None)

    def _answer(self, identity: Identity, resource: str, at: datetime) -> web.Response:
        lifetime = self.switches.lasting(LIFETIME)
        token = identity_token(self.issuer, self.topology, identity, resource=resource, at=at, lifetime=lifetime)
        answer = {
            "access_token": token,
            "expires_on": str(int((at + lifetime).timestamp())),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": str(identity.client_id),
        }
        return web.json_response(answer, headers={"Cache-Control": "no-store"})


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)
