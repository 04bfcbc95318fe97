"""Where the suite runs: in Entra ID, where the environment says so; else against the local cloud's."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from localcloud.addresses import Port
from tests.localcloud.clouds import LocalCloud, local_cloud

SAID = {name: os.environ.get(f"IDENTITY_CONFORMANCE_{name}", "") for name in ("TENANT", "CLIENT", "SECRET", "SCOPE")}
ENTRA: Final = all(SAID.values())
WHERE: Final = "Entra ID" if ENTRA else "the emulator (localcloud/identity)"


@dataclass(frozen=True, slots=True)
class Place:
    authority: str
    tenant: str
    client: str  # an application that has a secret
    secret: str
    scope: str  # of an API that it may ask tokens for
    cloud: LocalCloud | None = None  # None: Entra ID

    def options(self, **more: Any) -> dict[str, Any]:
        """Of a credential."""
        local = {"disable_instance_discovery": True, "connection_verify": self.cloud.ca} if self.cloud else {}
        return {"authority": self.authority, "retry_total": 0, **local, **more}


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    if ENTRA:
        yield Place("https://login.microsoftonline.com", SAID["TENANT"], SAID["CLIENT"], SAID["SECRET"], SAID["SCOPE"])
        return
    async with local_cloud(folder) as cloud:
        known, secret = cloud.topology, (cloud.state.identity / "clients" / "functions").read_text()
        client, scope = str(known.identities["functions"].client_id), f"{known.api.uri}/.default"
        yield Place(cloud.addresses.url(Port.ISSUER), str(known.tenant), client, secret, scope, cloud)
