"""Blobs of a real Azurite, told by Event Grid and fetched by the unmodified SDK."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob.aio import BlobServiceClient

from localcloud import certificates
from localcloud.addresses import Addresses, Port
from localcloud.azurite import Azurite
from localcloud.functions_host.keys import Keys
from tests.localcloud.programs import free_ports, running

pytestmark = pytest.mark.real

TOOLS = Path(__file__).parents[3] / ".tools"
BLOB_APP = Path(__file__).parent / "blob_app"
HEADERS = {"aeg-event-type": "Notification", "x-functions-key": "blobs-key"}


@pytest.fixture
async def azurite(tmp_path: Path) -> AsyncIterator[Azurite]:
    files = certificates.ensure(tmp_path / "certificates", datetime.now(UTC))
    azurite = Azurite.open(tmp_path, "store", Addresses(free_ports(len(Port))), files)
    async with running(azurite.program(TOOLS), tmp_path / "log"):
        await azurite.prepare(["media"], [], datetime.now(UTC))
        yield azurite


def told(path: str) -> dict[str, Any]:
    container, _, name = path.partition("/")
    return {
        "id": "b-1",
        "eventType": "Microsoft.Storage.BlobCreated",
        "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
        "eventTime": "2026-06-01T12:00:00Z",
        "data": {"url": f"https://store.blob.core.windows.net/{path}"},
    }


async def test_a_blob_that_event_grid_tells_of_reaches_its_function(azurite: Azurite, serve: Any) -> None:
    endpoint = f"BlobEndpoint={azurite.blobs};AccountName=store;AccountKey={azurite.key}"
    ca = str(azurite.certificates.ca)
    async with (
        BlobServiceClient(azurite.blobs, credential=azurite.key, connection_verify=ca) as blobs,
        serve(BLOB_APP, environ={"Storage": endpoint, "REQUESTS_CA_BUNDLE": ca}) as client,
    ):
        await blobs.get_blob_client("media", "in/tea.txt").upload_blob(b"tea", metadata={"kind": "green"})

        async def tell(path: str, function: str = "Host.Functions.take") -> int:
            hook = client.post(
                "/runtime/webhooks/blobs", params={"functionName": function}, json=[told(path)], headers=HEADERS
            )
            async with hook as response:
                return int(response.status)

        assert [await tell("media/in/tea.txt"), await tell("media/else/tea.txt"), await tell("media/in/gone.txt")] == [
            202,
            202,
            202,
        ]
        assert await tell("media/in/tea.txt", "Host.Functions.nope") == 404
        async with client.get("/api/heard") as response:
            assert json.loads(await response.text()) == [
                {"name": "media/in/tea.txt", "length": 3, "body": "tea", "metadata": {"kind": "green"}}
            ]


async def test_without_the_key_of_the_webhook_a_blob_function_does_not_start(serve: Any) -> None:
    keys = Keys(master="m", host={}, system={})

    with pytest.raises(Exception, match=r"host\.systemKey\.blobs_extension, which is missing"):
        async with serve(BLOB_APP, keys=keys, environ={"Storage": "-"}):
            pass
