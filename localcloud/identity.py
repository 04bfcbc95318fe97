"""Who everyone is: the managed-identity endpoint, the issuer that vouches for its tokens, tokens for people.

The endpoint speaks App Service's protocol (api-version 2019-08-01), which Container Apps speaks too; the issuer
speaks as much OpenID Connect as a service needs to check a token of Entra ID v2.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from aiohttp import web

from localcloud import access
from localcloud.access import Issuer
from localcloud.addresses import Addresses, Port
from localcloud.state import State, made_once
from localcloud.topology import Identity, Topology

API_VERSION = "2019-08-01"
STORAGE = "https://storage.azure.com"
A_DAY = {"Cache-Control": "max-age=86400, private"}
WORKING_DAY = timedelta(hours=8)

Role = Literal["admin", "customer", "service"]


def issuer_url(addresses: Addresses, tenant: UUID) -> str:
    return f"{addresses.https(Port.ISSUER)}/{tenant}/v2.0"


def header(state: State) -> str:
    """The secret that a process shows as `X-IDENTITY-HEADER`, from its environment's `IDENTITY_HEADER`."""
    return made_once(state.identity / "header", lambda: secrets.token_urlsafe(32).encode()).decode()


def environment(addresses: Addresses, secret: str, identity: Identity) -> dict[str, str]:
    """What makes an unmodified `DefaultAzureCredential` this identity."""
    return {
        "IDENTITY_ENDPOINT": f"{addresses.http(Port.IDENTITY)}/msi/token",
        "IDENTITY_HEADER": secret,
        "AZURE_CLIENT_ID": str(identity.client_id),
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }


def identity_token(issuer: Issuer, topology: Topology, identity: Identity, *, resource: str, at: datetime) -> str:
    """A managed identity's token for an Azure resource, or for our own API."""
    client_id = str(identity.client_id)
    person = str(uuid5(topology.tenant, client_id))
    claims: dict[str, Any] = {"azp": client_id, "appid": client_id, "oid": person, "sub": person, "idtyp": "app"}
    if resource in (topology.api.uri, str(topology.api.client_id)):
        return issuer.token(str(topology.api.client_id), at, **claims, roles=identity.app_roles)
    if resource == STORAGE:  # Azurite takes none but version 1 tokens
        claims |= {"iss": f"https://sts.windows.net/{topology.tenant}/", "ver": "1.0"}
    return issuer.token(resource, at, **claims)


def token_for(issuer: Issuer, topology: Topology, role: Role, customer: UUID | None, at: datetime) -> str:
    """A token for our own API, for a person who tries it out. Raises ValueError."""
    if (role == "customer") != (customer is not None):
        raise ValueError("the role customer needs the customer's id, and no other role takes one")
    api = topology.api.client_id
    person = str(customer or uuid5(api, role))
    claims = {"azp": str(api), "oid": person, "sub": person, "roles": [f"Store.{role.title()}"]}
    return issuer.token(str(api), at, WORKING_DAY, **claims)


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    issuer: Issuer
    topology: Topology
    secret: str

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/msi/token", self._token)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        shown = request.headers.get("X-IDENTITY-HEADER", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, self.secret.encode()):
            return _refused(401, "The X-IDENTITY-HEADER is missing or wrong.")
        resource = request.query.get("resource", "").rstrip("/")
        if request.query.get("api-version") != API_VERSION or not resource:
            return _refused(400, f"The api-version {API_VERSION} and a resource are needed.")
        identity = self._identity(request.query.get("client_id"))
        if identity is None:
            return _refused(400, "No User Assigned or Delegated Managed Identity found for specified ClientId.")
        return self._answer(identity, resource, datetime.now(UTC))

    def _identity(self, client_id: str | None) -> Identity | None:
        return next((each for each in self.topology.identities.values() if str(each.client_id) == client_id), None)

    def _answer(self, identity: Identity, resource: str, at: datetime) -> web.Response:
        answer = {
            "access_token": identity_token(self.issuer, self.topology, identity, resource=resource, at=at),
            "expires_on": str(int((at + access.LIFETIME).timestamp())),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": str(identity.client_id),
        }
        return web.json_response(answer, headers={"Cache-Control": "no-store"})


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)


def issuer_app(issuer: Issuer) -> web.Application:
    """OpenID Connect discovery and the public keys."""
    keys_path = f"/{issuer.tenant}/discovery/v2.0/keys"
    configuration = {
        "issuer": issuer.url,
        "jwks_uri": issuer.url.removesuffix(f"/{issuer.tenant}/v2.0") + keys_path,
        "id_token_signing_alg_values_supported": ["RS256"],
    }

    async def show_configuration(_: web.Request) -> web.Response:
        return web.json_response(configuration, headers=A_DAY)

    async def show_keys(_: web.Request) -> web.Response:
        return web.json_response(issuer.public_keys(), headers=A_DAY)

    app = web.Application()
    app.router.add_get(f"/{issuer.tenant}/v2.0/.well-known/openid-configuration", show_configuration)
    app.router.add_get(keys_path, show_keys)
    return app
