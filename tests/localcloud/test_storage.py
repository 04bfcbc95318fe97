"""The front of Azurite: the unmodified SDK writes through it, and Event Grid hears of each blob that is created."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError, ServiceRequestError
from azure.storage.blob import BlobBlock, BlobSasPermissions, ContentSettings, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient

from localcloud import certificates
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.eventgrid.wire import Event, parse
from localcloud.storage import StorageFront
from tests.localcloud.programs import free_ports, running

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

TOOLS = Path(__file__).parents[2] / ".tools"
LARGE = 9 * 1024 * 1024
SHOP = "https://shop.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    folder, now = tmp_path_factory.mktemp("azurite"), datetime.now(UTC)
    files = certificates.ensure(folder / "certificates", now)
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        await azurite.prepare(["media", "private"], ["media"], now, origins=[SHOP])
        yield azurite


class Told(list[Event]):
    """What Event Grid hears, until it is told to fail."""

    full = False

    async def tell(self, topic: str, events: list[Event]) -> None:
        if self.full:
            raise web.HTTPServiceUnavailable
        assert topic == "storage"
        self.extend(events)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest_asyncio.fixture(loop_scope="module")
async def front(azurite: Azurite, told: Told) -> AsyncIterator[str]:
    """The account's URL there."""
    files, direct = azurite.certificates, azurite.addresses.url(Port.AZURITE)
    async with (
        StorageFront.open(direct, files.client_context(), told.tell, partial(datetime.now, UTC)) as front,
        TestServer(front.app(), ssl=files.server_context()) as server,
    ):
        yield str(server.make_url("/store"))


@pytest_asyncio.fixture(loop_scope="module")
async def blobs(azurite: Azurite, front: str) -> AsyncIterator[BlobServiceClient]:
    ca = str(azurite.certificates.ca)
    async with BlobServiceClient(front, azurite.key, connection_verify=ca, retry_total=0) as blobs:
        yield blobs


async def test_it_passes_on_what_the_sdk_says_and_what_azurite_answers(blobs: BlobServiceClient) -> None:
    blob = blobs.get_blob_client("media", "a folder/töpfe & co.png")
    look = ContentSettings(content_type="image/png", cache_control="no-store")

    made = await blob.upload_blob(b"0123456789", content_settings=look, metadata={"by": "ada"})
    known = await blob.get_blob_properties()

    assert (known.etag, known.content_settings.content_type, known.metadata) == (
        made["etag"],
        "image/png",
        {"by": "ada"},
    )
    assert await (await blob.download_blob(2, 3)).readall() == b"234"
    with pytest.raises(ResourceModifiedError):
        await blob.upload_blob(b"x", overwrite=True, etag='"other"', match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceNotFoundError):
        await blobs.get_blob_client("media", "absent").get_blob_properties()


@pytest.mark.filterwarnings("ignore:Sending a large body")  # by the SDK
async def test_what_is_large_goes_through_in_pieces(blobs: BlobServiceClient) -> None:
    content = bytes(range(256)) * (LARGE // 256)
    blob = blobs.get_blob_client("private", "large")

    await blob.upload_blob(BytesIO(content), overwrite=True)

    back = await (await blob.download_blob()).readall()
    assert hashlib.sha256(back).digest() == hashlib.sha256(content).digest()


async def test_each_blob_that_is_created_is_told_of_in_azures_form(blobs: BlobServiceClient, told: Told) -> None:
    blob = blobs.get_blob_client("media", "images/tea pot.png")

    made = await blob.upload_blob(b"12345", content_settings=ContentSettings(content_type="image/png"))

    (event,) = told
    assert parse("application/cloudevents+json", event.content) == [event]
    said = json.loads(event.content)
    assert (said["type"], said["specversion"]) == ("Microsoft.Storage.BlobCreated", "1.0")
    assert said["subject"] == "/blobServices/default/containers/media/blobs/images/tea pot.png"
    assert said["source"].endswith("/providers/Microsoft.Storage/storageAccounts/store")
    data = said["data"]
    assert (data["api"], data["contentType"], data["contentLength"]) == ("PutBlob", "image/png", 5)
    assert f'"{data["eTag"]}"' == made["etag"]
    assert "?" not in data["url"]


async def test_blocks_and_copies_are_told_of_when_there_is_a_blob(blobs: BlobServiceClient, told: Told) -> None:
    blob = blobs.get_blob_client("media", "video.mp4")

    await blob.stage_block("000001", b"12345")
    assert told == []
    await blob.commit_block_list([BlobBlock("000001")])
    await blob.set_blob_metadata({"a": "b"})
    await blob.set_http_headers(ContentSettings(content_type="video/mp4"))
    await blobs.get_blob_client("media", "copy.mp4").start_copy_from_url(blob.url, requires_sync=True)
    await blob.delete_blob()

    assert [json.loads(event.content)["data"]["api"] for event in told] == ["PutBlockList", "CopyBlob", "DeleteBlob"]


async def test_a_blob_that_is_deleted_is_told_of_in_azures_form(blobs: BlobServiceClient, told: Told) -> None:
    blob = blobs.get_blob_client("private", "old/tea pot.png")
    await blob.upload_blob(b"12345")
    made, *_ = told

    await blob.delete_blob()

    event = told[-1]
    said, data = json.loads(event.content), json.loads(event.content)["data"]
    assert parse("application/cloudevents+json", event.content) == [event]
    assert (said["type"], said["subject"]) == ("Microsoft.Storage.BlobDeleted", made.subject)
    assert data.keys() == {"api", "requestId", "contentType", "blobType", "url", "sequencer", "storageDiagnostics"}
    assert (data["api"], data["sequencer"] > json.loads(made.content)["data"]["sequencer"]) == ("DeleteBlob", True)


async def test_of_a_blob_that_is_not_deleted_nobody_is_told(blobs: BlobServiceClient, told: Told) -> None:
    blob = blobs.get_blob_client("private", "stays")
    await blob.upload_blob(b"1", overwrite=True)
    snapshot = await blob.create_snapshot()
    told.clear()

    await blobs.get_blob_client("private", "stays", snapshot=str(snapshot["snapshot"])).delete_blob()
    await blob.create_snapshot()
    await blob.delete_blob(delete_snapshots="only")
    with pytest.raises(ResourceNotFoundError):
        await blobs.get_blob_client("private", "never was").delete_blob()

    assert (told, await blob.exists()) == ([], True)


async def test_what_is_refused_is_not_told_of(azurite: Azurite, blobs: BlobServiceClient, told: Told) -> None:
    ca = str(azurite.certificates.ca)
    async with BlobServiceClient(blobs.url, "d3Jvbmc=", connection_verify=ca, retry_total=0) as stranger:
        with pytest.raises(HttpResponseError):
            await stranger.get_blob_client("media", "x").upload_blob(b"x")

    assert told == []


async def test_a_signature_for_azurite_is_good_at_the_front(azurite: Azurite, front: str, told: Told) -> None:
    until = datetime.now(UTC) + timedelta(minutes=5)
    sas = generate_blob_sas(
        "store", "private", "one", account_key=azurite.key, permission=BlobSasPermissions(create=True), expiry=until
    )
    connector = aiohttp.TCPConnector(ssl=azurite.certificates.client_context())
    async with aiohttp.ClientSession(connector=connector) as anyone:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "image/png"}
        async with anyone.put(f"{front}/private/one?{sas}", data=b"x", headers=headers) as made:
            assert made.status == 201
        async with anyone.put(f"{front}/private/two?{sas}", data=b"x", headers=headers) as refused:
            assert refused.status == 403
    assert [event.subject.rpartition("/")[2] for event in told] == ["one"]
    assert b"sig" not in told[0].content


async def test_whoever_writes_hears_of_success_only_when_it_is_told(blobs: BlobServiceClient, told: Told) -> None:
    told.full = True

    with pytest.raises(HttpResponseError) as failure:
        await blobs.get_blob_client("media", "untold").upload_blob(b"x")

    assert failure.value.status_code == 503


async def test_where_azurite_is_away_it_says_that_it_is_busy(azurite: Azurite, told: Told) -> None:
    tls = azurite.certificates.client_context()
    async with (
        StorageFront.open(f"https://127.0.0.1:{free_ports(1)}", tls, told.tell, partial(datetime.now, UTC)) as front,
        TestServer(front.app()) as server,
        aiohttp.ClientSession() as anyone,
        anyone.get(server.make_url("/store/media/x")) as answer,
    ):
        assert (answer.status, answer.content_type) == (503, "application/xml")


async def test_a_body_that_breaks_off_makes_no_blob(blobs: BlobServiceClient, told: Told) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionResetError

    with pytest.raises((ServiceRequestError, ConnectionResetError)):
        await blobs.get_blob_client("media", "half").upload_blob(breaks_off(), length=2000)

    assert (told, await blobs.get_blob_client("media", "half").exists()) == ([], False)


@pytest.mark.parametrize(("origin", "status"), [(SHOP, 200), ("https://elsewhere.example", 403)])
async def test_pages_of_the_shop_may_upload_from_a_browser_and_no_others(
    azurite: Azurite, front: str, origin: str, status: int
) -> None:
    asking = {
        "Origin": origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-ms-blob-type",
    }
    connector = aiohttp.TCPConnector(ssl=azurite.certificates.client_context())

    async with (
        aiohttp.ClientSession(connector=connector) as browser,
        browser.options(f"{front}/private/upload", headers=asking) as answer,
    ):
        allowed = answer.headers.get("Access-Control-Allow-Origin")

    assert (answer.status, allowed) == (status, origin if status == 200 else None)


async def test_where_no_origin_is_named_any_more_none_may(azurite: Azurite, front: str) -> None:
    connector = aiohttp.TCPConnector(ssl=azurite.certificates.client_context())
    asking = {"Origin": SHOP, "Access-Control-Request-Method": "PUT"}
    await azurite.prepare([], [], datetime.now(UTC))

    async with (
        aiohttp.ClientSession(connector=connector) as browser,
        browser.options(f"{front}/private/upload", headers=asking) as answer,
    ):
        assert answer.status == 403
