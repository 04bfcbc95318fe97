"""Blob functions: Event Grid tells of a blob, the host fetches it, and the function gets it as a stream.

Azure puts the event into a storage queue of its own and tries five times. Here the event is acknowledged when the
function has taken the blob, so Event Grid tries again, and dead-letters what is never taken.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.meta import Datum
from msgspec import Struct

from localcloud.functions_host import routes
from localcloud.functions_host.bindings import BlobTrigger
from localcloud.functions_host.indexing import Function, Refused
from localcloud.functions_host.invocation import Call, FunctionFailed, Invoker

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import BlobServiceClient

log = structlog.get_logger()

LARGEST_BLOB = 104_857_600
FETCH_SECONDS = 20.0  # Event Grid waits 30 for the answer
_CONTAINER, _BLOB = "/blobServices/default/containers/", "/blobs/"


class _Told(Struct):
    """An event of storage, in either schema."""

    subject: str


@dataclass(frozen=True, slots=True)
class Blobs:
    clients: "Mapping[str, BlobServiceClient]"  # by connection
    invoker: Invoker

    async def call(self, function: Function, trigger: BlobTrigger, told: Call) -> None:
        """Of a blob that is elsewhere, or gone, nothing becomes. Raises FunctionFailed, msgspec.DecodeError."""
        path = _path(msgspec.json.decode(told.data.value, type=_Told).subject)
        found = routes.blob_path(trigger.path).fullmatch(path)
        if found is None:
            return
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                data, metadata = await self._fetch(self.clients[trigger.connection], path)
        except ResourceNotFoundError:
            log.info("blob.gone", function=function.name, trace_id=told.trace_id)
            return
        except (AzureError, TimeoutError) as error:
            log.warning("blob.not_fetched", function=function.name, reason=type(error).__name__)
            raise FunctionFailed(f"Exception while executing function: Functions.{function.name}") from error
        parts = {name: Datum(value, "string") for name, value in found.groupdict().items()}
        await self.invoker.run(function, Call(data, metadata | parts, told.traceparent))

    @staticmethod
    async def _fetch(client: "BlobServiceClient", path: str) -> tuple[Datum, dict[str, Datum]]:
        """Raises AzureError."""
        container, _, name = path.partition("/")
        async with client.get_blob_client(container, name) as blob:
            stream = await blob.download_blob()
            if stream.size > LARGEST_BLOB:
                raise AzureError(f"a blob of {stream.size} bytes is too large")
            said, content = stream.properties, await stream.readall()
            kind, changed = said.content_settings.content_type, said.last_modified.isoformat()
            properties = {"ContentLength": said.size, "ContentType": kind, "ETag": said.etag, "LastModified": changed}
            return Datum(content, "bytes"), {
                "BlobTrigger": Datum(path, "string"),
                "Uri": Datum(str(blob.url), "string"),
                "Properties": _json(properties),
                "Metadata": _json(dict(said.metadata or {})),
            }


def _path(of: str) -> str:
    container, _, blob = of.removeprefix(_CONTAINER).partition(_BLOB)
    return f"{container}/{blob}"


def subject(path: str) -> str:
    """As an event names the blob `container/name`."""
    container, _, blob = path.partition("/")
    return f"{_CONTAINER}{container}{_BLOB}{blob}"


def _json(value: dict[str, Any]) -> Datum:
    return Datum(msgspec.json.encode(value).decode(), "json")


@asynccontextmanager
async def connect(
    triggers: Iterable[BlobTrigger], environ: Mapping[str, str], credential: "Callable[[], AsyncTokenCredential]"
) -> "AsyncIterator[Mapping[str, BlobServiceClient]]":
    """A client for each connection that bindings name. Raises Refused where its setting is missing."""
    async with AsyncExitStack() as stack:
        clients = dict[str, "BlobServiceClient"]()
        for name in {each.connection for each in triggers}:
            clients[name] = await stack.enter_async_context(await _client(name, environ, credential, stack))
        yield clients


async def _client(
    name: str,
    environ: Mapping[str, str],
    credential: "Callable[[], AsyncTokenCredential]",
    stack: AsyncExitStack,
) -> "BlobServiceClient":
    from azure.storage.blob.aio import BlobServiceClient

    options: dict[str, Any] = {"retry_total": 1, "connection_verify": environ.get("REQUESTS_CA_BUNDLE", True)}
    if name in environ:
        return BlobServiceClient.from_connection_string(environ[name], **options)
    account = environ.get(f"{name}__accountName")
    url = environ.get(f"{name}__blobServiceUri") or (f"https://{account}.blob.core.windows.net" if account else "")
    if not url:
        raise Refused(
            f"a binding names the connection {name}; set {name}__blobServiceUri, or {name} to a connection string"
        )
    return BlobServiceClient(url, await stack.enter_async_context(credential()), **options)
