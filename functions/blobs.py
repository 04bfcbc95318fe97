"""Where images lie, and who decodes them: opened once, by the first call that needs them."""

from dataclasses import dataclass
from functools import cache

from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from functions.settings import Settings
from libs.common.media import CONTAINER
from libs.common.pictures import Studio

DECODING_SECONDS = 12.0  # Event Grid waits 30 s for a function, and storage has to be asked before and after


@dataclass(frozen=True, slots=True)
class Blobs:
    media: ContainerClient
    media_url: str
    studio: Studio


@cache
def blobs(told: Settings) -> Blobs:
    """As with connections: the process owns them."""
    service = BlobServiceClient(
        told.blob_endpoint, DefaultAzureCredential(), retry_total=0, connection_timeout=2, read_timeout=5
    )
    return Blobs(service.get_container_client(CONTAINER), told.media_url.rstrip("/"), Studio(seconds=DECODING_SECONDS))
