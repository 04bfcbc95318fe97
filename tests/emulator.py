"""A Service Bus as Microsoft's emulator is: who comes has a key and no identity, and nobody speaks TLS. It is ours."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.core.credentials import AccessToken

from localcloud.addresses import HOST
from localcloud.servicebus.broker import Broker
from localcloud.servicebus.claims import Key
from localcloud.servicebus.errors import InvalidToken
from localcloud.topology import Queue

POLICY, KEY = "RootManageSharedAccessKey", "SAS_KEY_VALUE"


class NoIdentity:
    """Whoever asks for a token has taken the wrong way."""

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        raise AssertionError

    async def close(self) -> None: ...

    async def __aenter__(self) -> "NoIdentity":
        return self

    async def __aexit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Emulator:
    broker: Broker
    connection: str


@asynccontextmanager
async def opened(folder: Path, queues: Mapping[str, Queue]) -> AsyncIterator[Emulator]:
    def refuse(*_: str) -> None:
        raise InvalidToken

    async with (
        Broker.open(queues, folder / "emulator.sqlite", refuse, keys={POLICY: Key(KEY)}) as broker,
        broker.listen(HOST, 0, None) as port,
    ):
        key = f"SharedAccessKeyName={POLICY};SharedAccessKey={KEY}"
        yield Emulator(broker, f"Endpoint=sb://{HOST}:{port};{key};UseDevelopmentEmulator=true")
