"""Who everyone is: the tokens of services and of people, and what makes a process a service's identity.

The managed-identity endpoint (`managed`) and Entra ID (`entra`) hand them out.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from localcloud.access import LIFETIME, Issuer
from localcloud.addresses import Addresses, Port
from localcloud.state import State, made_once
from localcloud.topology import Identity, Topology

API_VERSION = "2019-08-01"
STORAGE = "https://storage.azure.com"
WORKING_DAY = timedelta(hours=8)

Role = Literal["admin", "customer", "service"]


def issuer_url(addresses: Addresses, tenant: UUID) -> str:
    return f"{addresses.url(Port.ISSUER)}/{tenant}/v2.0"


def header(state: State) -> str:
    """The secret that a process shows as `X-IDENTITY-HEADER`, from its environment's `IDENTITY_HEADER`."""
    return made_once(state.identity / "header", lambda: secrets.token_urlsafe(32).encode()).decode()


def environment(addresses: Addresses, secret: str, identity: Identity) -> dict[str, str]:
    """What makes an unmodified `DefaultAzureCredential` this identity."""
    return {
        "IDENTITY_ENDPOINT": f"{addresses.url(Port.IDENTITY)}/msi/token",
        "IDENTITY_HEADER": secret,
        "AZURE_CLIENT_ID": str(identity.client_id),
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }


def principal(topology: Topology, identity: Identity) -> str:
    """The object id of an identity."""
    return str(uuid5(topology.tenant, str(identity.client_id)))


def is_own_api(topology: Topology, resource: str) -> bool:
    return resource in (topology.api.uri, str(topology.api.client_id))


def identity_token(
    issuer: Issuer,
    topology: Topology,
    identity: Identity,
    *,
    resource: str,
    at: datetime,
    lifetime: timedelta = LIFETIME,
) -> str:
    """An identity's token for an Azure resource, or for our own API."""
    client_id, oid = str(identity.client_id), principal(topology, identity)
    claims: dict[str, Any] = {"azp": client_id, "appid": client_id, "oid": oid, "sub": oid, "idtyp": "app"}
    if is_own_api(topology, resource):
        return issuer.token(str(topology.api.client_id), at, lifetime, **claims, roles=identity.app_roles)
    if resource == STORAGE:  # Azurite takes none but version 1 tokens
        claims |= {"iss": f"https://sts.windows.net/{topology.tenant}/", "ver": "1.0"}
    return issuer.token(resource, at, lifetime, **claims)


def token_for(issuer: Issuer, topology: Topology, role: Role, customer: UUID | None, at: datetime) -> str:
    """A token for our own API, for a person who tries it out. Raises ValueError."""
    if (role == "customer") != (customer is not None):
        raise ValueError("the role customer needs the customer's id, and no other role takes one")
    api = topology.api.client_id
    person = str(customer or uuid5(api, role))
    claims = {"azp": str(api), "oid": person, "sub": person, "roles": [f"Store.{role.title()}"]}
    return issuer.token(str(api), at, WORKING_DAY, **claims)
