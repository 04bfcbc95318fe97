"""Event Grid as the local cloud opens it: whom it trusts, as whom it comes, and where dead letters lie."""

import base64
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import uuid5

from localcloud import identity
from localcloud.access import Access, Issuer
from localcloud.addresses import Addresses, Port
from localcloud.eventgrid import Door, Enqueue, FunctionsAddress, Reach, StorageAccount
from localcloud.eventgrid.container import Container
from localcloud.state import State, made_once
from localcloud.topology import Identity, Topology

AUDIENCE: Final = "https://eventgrid.azure.net"
PUBLISHER: Final = "EventGrid Data Sender"
# Event Grid's own application in Entra, and the role that it asks of whoever protects a webhook.
APPLICATION: Final = "4962773b-9cdb-44cf-a8bf-237846a00ab7"
ROLE: Final = "AzureEventGridSecureWebhookSubscriber"
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Ground:
    topology: Topology
    state: State
    addresses: Addresses
    issuer: Issuer

    def door(self) -> Door:
        """A topic's key is made once, and lies in the state folder as eventgrid-<topic>."""
        access = Access(self.issuer, self.topology)

        def authorize(token: str, topic: str) -> None:
            access.require(token, AUDIENCE, role=PUBLISHER, on=f"topics/{topic}")

        names = self.topology.topics
        keys = {name: [made_once(self.state.identity / f"eventgrid-{name}", _new_key).decode()] for name in names}
        return Door(authorize, keys)

    def reach(self, enqueue: Enqueue, functions_key: str) -> Reach:
        functions = FunctionsAddress(self.addresses.url(Port.FUNCTIONS), functions_key)
        url = f"{self.addresses.url(Port.QUEUE)}/{self.topology.storage_account}"
        account = StorageAccount(url, self._for_storage)
        return Reach(functions, enqueue, account, self._for_webhook, self.addresses.url(Port.EVENTGRID))

    def dead_letters(self, tls: ssl.SSLContext) -> AbstractAsyncContextManager[Container]:
        account = f"{self.addresses.url(Port.AZURITE)}/{self.topology.storage_account}"
        return Container.open(f"{account}/{self.topology.dead_letters}", tls, self._for_storage)

    def _for_storage(self) -> str:
        """As itself: Azurite asks for no role."""
        itself = Identity(client_id=uuid5(self.topology.tenant, "eventgrid"), rights=[])
        at = datetime.now(UTC)
        return identity.identity_token(self.issuer, self.topology, itself, resource=identity.STORAGE, at=at)

    def _for_webhook(self, audience: str) -> str:
        return self.issuer.token(
            audience, datetime.now(UTC), appid=APPLICATION, azp=APPLICATION, idtyp="app", roles=[ROLE]
        )


@asynccontextmanager
async def queues(connection: str, ours: Enqueue) -> AsyncIterator[Enqueue]:
    """Of Service Bus: ours, or those of another where its connection string is said."""
    if not connection:
        yield ours
        return
    from localcloud.elsewhere import Elsewhere  # who needs none need not load a client

    async with Elsewhere.connect(connection) as elsewhere:
        yield elsewhere


def _new_key() -> bytes:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES))
