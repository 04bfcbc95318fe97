"""What an unmodified SDK takes for a managed identity."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core.credentials import AccessToken

from localcloud.access import LIFETIME, Issuer
from localcloud.identity import identity_token
from localcloud.topology import Topology


@dataclass(frozen=True, slots=True)
class Credential:
    """An identity's tokens, without the way to the endpoint."""

    issuer: Issuer
    store: Topology
    name: str

    async def get_token(
        self, *scopes: str, claims: str | None = None, tenant_id: str | None = None, enable_cae: bool = False, **_: Any
    ) -> AccessToken:
        resource, now = scopes[0].removesuffix("/.default").rstrip("/"), datetime.now(UTC)
        token = identity_token(self.issuer, self.store, self.store.identities[self.name], resource=resource, at=now)
        return AccessToken(token, int((now + LIFETIME).timestamp()))

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None: ...
