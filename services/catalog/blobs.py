"""Blob Storage, as the catalogue reaches it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobServiceClient

from libs.common.errors import Unavailable


@asynccontextmanager
async def connect(endpoint: str, credential: AsyncTokenCredential) -> AsyncIterator[BlobServiceClient]:
    """It does not try again by itself: whoever asked is told, and does."""
    client = BlobServiceClient(endpoint, credential, retry_total=0, connection_timeout=5, read_timeout=20)
    async with client:
        yield client


@contextmanager
def answering() -> Iterator[None]:
    """Raises Unavailable where Blob Storage has not done what was asked, or has not said so."""
    try:
        yield
    except AzureError as error:
        raise Unavailable(f"Blob Storage does not answer as it should ({type(error).__name__})") from error
