"""The real Azurite: the unmodified SDK writes to it, and anybody reads media through the real gateway."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import BlobServiceClient

from localcloud import certificates, gateway
from localcloud.access import Issuer
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite, Missing, Refused
from localcloud.identity import identity_token, issuer_url
from localcloud.topology import Topology
from tests.localcloud.programs import free_ports, running, state_of

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

TOOLS = Path(__file__).parents[2] / ".tools"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    """Running, with a public container and a private one."""
    folder, now = tmp_path_factory.mktemp("azurite"), datetime.now(UTC)
    files = certificates.ensure(folder / "certificates", now)
    azurite = Azurite.open(folder, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), folder / "log"):
        await azurite.prepare(["media", "private"], ["media"], now)
        yield azurite


def client(azurite: Azurite, credential: "str | Token | None") -> BlobServiceClient:
    ca = str(azurite.certificates.ca)
    return BlobServiceClient(azurite.blobs, credential=credential, connection_verify=ca, retry_total=0)  # type: ignore[arg-type]


@pytest_asyncio.fixture(loop_scope="module")
async def blobs(azurite: Azurite) -> AsyncIterator[BlobServiceClient]:
    """The SDK, with the account's key."""
    async with client(azurite, azurite.key) as blobs:
        yield blobs


class Token:
    """A managed identity's, as a credential of the SDK."""

    def __init__(self, token: str, ends: datetime) -> None:
        self._token = AccessToken(token, int(ends.timestamp()))

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        return self._token

    async def close(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


@asynccontextmanager
async def browser(azurite: Azurite, ca: Path, folder: Path, store: Topology) -> AsyncIterator[aiohttp.ClientSession]:
    """Reaches Azurite through a gateway that trusts `ca`."""
    port = azurite.addresses.port(Port.GATEWAY)
    upstreams = gateway.local_upstreams(store, azurite.addresses)
    configuration = gateway.render(store, upstreams, listen=f"127.0.0.1:{port}", ca=ca)
    with state_of(folder) as state:
        program = gateway.program(state / "gateway", configuration, port)
        async with running(program, folder / "nginx"), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session


async def test_anybody_reads_media_through_the_gateway(
    azurite: Azurite, blobs: BlobServiceClient, tmp_path: Path, store: Topology
) -> None:
    look = ContentSettings(content_type="image/png", cache_control="public, max-age=60")
    await blobs.get_blob_client("media", "tea/red.png").upload_blob(b"0123456789", content_settings=look)

    async with browser(azurite, azurite.certificates.ca, tmp_path, store) as session:
        whole = await session.get("/media/tea/red.png")
        part = await session.get("/media/tea/red.png", headers={"Range": "bytes=2-4"})
        known = await session.get("/media/tea/red.png", headers={"If-None-Match": whole.headers["ETag"]})
        absent = await session.get("/media/tea/green.png")
        listing = await session.get("/media/?restype=container&comp=list")

        assert (whole.status, await whole.read(), whole.content_type) == (200, b"0123456789", "image/png")
        assert whole.headers["Cache-Control"] == "public, max-age=60"
        assert (part.status, await part.read()) == (206, b"234")
        assert known.status == 304
        assert (absent.status, absent.content_type) == (404, "application/problem+json")
        assert (listing.status, listing.content_type) == (400, "application/problem+json")


async def test_the_gateway_reads_only_from_a_storage_that_our_authority_vouches_for(
    azurite: Azurite, blobs: BlobServiceClient, tmp_path: Path, store: Topology
) -> None:
    await blobs.get_blob_client("media", "tea").upload_blob(b"x")
    other = certificates.ensure(tmp_path / "other", datetime.now(UTC))

    async with browser(azurite, other.ca, tmp_path, store) as session:
        assert (await session.get("/media/tea")).status == 502


async def test_a_managed_identity_writes_with_its_token(azurite: Azurite, store: Topology, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    issuer = Issuer.open(tmp_path / "identity", issuer_url(azurite.addresses, store.tenant), store.tenant)
    catalog = store.identities["catalog"]
    token = identity_token(issuer, store, catalog, resource="https://storage.azure.com", at=now)
    credential = Token(token, now + timedelta(hours=1))

    async with client(azurite, credential) as blobs:
        await blobs.get_blob_client("private", "letter").upload_blob(b"x")


async def test_nobody_reads_what_is_private(azurite: Azurite, blobs: BlobServiceClient) -> None:
    await blobs.get_blob_client("private", "diary").upload_blob(b"x")

    async with client(azurite, None) as anybody:
        with pytest.raises(HttpResponseError, match="AuthorizationFailure"):
            await anybody.get_blob_client("private", "diary").download_blob()


async def test_a_wrong_key_makes_no_container(azurite: Azurite) -> None:
    stranger = replace(azurite, key=base64.b64encode(bytes(64)).decode())

    with pytest.raises(Refused, match="InvalidAuthenticationInfo"):
        await stranger.prepare(["mine"], [], datetime.now(UTC))


async def test_started_again_it_has_kept_everything(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = certificates.ensure(tmp_path / "certificates", now)
    for expected in (False, True):
        azurite = Azurite.open(tmp_path, "store", Addresses(free_ports(len(Port))), files)
        async with running(azurite.program(TOOLS), tmp_path / "log"), client(azurite, azurite.key) as blobs:
            await azurite.prepare(["media"], ["media"], now)
            blob = blobs.get_blob_client("media", "tea")

            assert await blob.exists() is expected
            await blob.upload_blob(b"x", overwrite=True)


async def test_without_the_set_up_it_says_what_to_do(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path / "certificates", datetime.now(UTC))

    with pytest.raises(Missing, match="make setup"):
        Azurite.open(tmp_path, "store", Addresses(), files).program(tmp_path)
