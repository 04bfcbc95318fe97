"""The front of Azurite's blobs: passes every request on, and has Event Grid tell of each blob made or deleted.

In Azure the storage account tells that by itself. Who writes gets the answer when the event is on disk, so of all that
is known to be written somebody is told; what breaks off between the two may be written without that.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import uuid4

import aiohttp
import msgspec
import structlog
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from localcloud.eventgrid.schemas import GROUP
from localcloud.eventgrid.wire import Event
from localcloud.topology import STORAGE

CREATED, DELETED = "Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"
ONE_VERSION = ("snapshot", "versionid")  # of a blob, which stays
PIECE_BYTES = 256 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
# RFC 9110, section 7.6.1: of one connection only. The host is Azurite's.
OF_ONE_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "expect")
NOT_TO_ADD = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # a signature may cover what is not there
NO_ANSWER = (
    '<?xml version="1.0" encoding="utf-8"?>'
    "<Error><Code>ServerBusy</Code><Message>Azurite does not answer.</Message></Error>"
)

Tell = Callable[[str, list[Event]], Awaitable[None]]

log = structlog.get_logger()


class Written(NamedTuple):
    """What was asked for, where it makes a blob or removes one."""

    type: str
    api: str
    account: str
    container: str
    blob: str


class StorageFront:
    def __init__(self, session: aiohttp.ClientSession, azurite: str, tell: Tell, clock: Callable[[], datetime]) -> None:
        self._session, self._azurite, self._tell, self._clock = session, azurite, tell, clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls, azurite: str, tls: ssl.SSLContext, tell: Tell, clock: Callable[[], datetime]
    ) -> AsyncIterator["StorageFront"]:
        """`azurite` is its address, without the account."""
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, auto_decompress=False) as session:
            yield cls(session, azurite, tell, clock)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        return app

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        url = URL(self._azurite + request.raw_path, encoded=True)
        body = request.content if request.body_exists else None
        try:
            async with self._session.request(
                request.method,
                url,
                headers=_kept(request.headers),
                data=body,
                allow_redirects=False,
                skip_auto_headers=NOT_TO_ADD,
            ) as answer:
                written = written_by(request)
                if written and answer.status in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED):
                    event = _event(written, request, answer, self._clock())
                    await self._tell(STORAGE, [event])
                return await _answered(request, answer)
        except (aiohttp.ClientError, TimeoutError):
            log.warning("azurite.away", method=request.method)
            return web.Response(status=503, text=NO_ANSWER, content_type="application/xml")


def written_by(request: web.Request) -> Written | None:
    """Put Blob, Put Block List, Copy Blob, Delete Blob; the others make or remove none, or none that anybody sees."""
    parts = request.path.lstrip("/").split("/", 2)
    if len(parts) < 3 or "restype" in request.query:
        return None
    match request.method, request.query.get("comp", ""):
        case "PUT", "blocklist":
            return Written(CREATED, "PutBlockList", *parts)
        case "PUT", "":
            return Written(CREATED, "CopyBlob" if "x-ms-copy-source" in request.headers else "PutBlob", *parts)
        case "DELETE", "" if _whole(request):
            return Written(DELETED, "DeleteBlob", *parts)
    return None


def _whole(request: web.Request) -> bool:
    """Not its snapshots alone."""
    only = request.headers.get("x-ms-delete-snapshots", "").lower() == "only"
    return not only and not any(each in request.query for each in ONE_VERSION)


def _event(written: Written, request: web.Request, answer: aiohttp.ClientResponse, at: datetime) -> Event:
    """In Azure's form. The length is known of what came in one piece only; of what is deleted, not even its kind."""
    kind = request.headers.get("x-ms-blob-content-type") or request.headers.get("Content-Type", "")
    subject = f"/blobServices/default/containers/{written.container}/blobs/{written.blob}"
    body = {
        "source": f"{GROUP}/Microsoft.Storage/storageAccounts/{written.account}",
        "subject": subject,
        "type": written.type,
        "time": at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "id": str(uuid4()),
        "data": {
            "api": written.api,
            "requestId": answer.headers.get("x-ms-request-id", ""),
            "contentType": kind or "application/octet-stream",
            "blobType": "BlockBlob",
            "url": str(request.url.with_query(None)),
            "sequencer": f"{int(at.timestamp() * 1_000_000):048x}",
            "storageDiagnostics": {"batchId": str(uuid4())},
        }
        | _size(written, request, answer),
        "specversion": "1.0",
    }
    return Event(written.type, msgspec.json.encode(body), subject)


def _size(written: Written, request: web.Request, answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Of what is there now."""
    if written.type == DELETED:
        return {}
    length = (request.content_length or 0) if written.api == "PutBlob" else 0
    return {"eTag": answer.headers.get("ETag", "").strip('"'), "contentLength": length}


async def _answered(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    passed = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_kept(answer.headers))
    await passed.prepare(request)
    async for piece in answer.content.iter_chunked(PIECE_BYTES):
        await passed.write(piece)
    await passed.write_eof()
    return passed


def _kept(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in OF_ONE_HOP)
