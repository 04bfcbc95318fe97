"""Direct uploads: who may put one file into Blob Storage past us, and what has come of it.

The container `uploads` is private. What lies in it is nothing until it is completed: then it is looked at, and copied
to where anyone reads. What never is, orphans.py collects.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobSasPermissions, UserDelegationKey, generate_blob_sas
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from libs.common.errors import NotFound
from libs.common.media import UPLOADS
from services.catalog.blobs import answering

LIFETIME = timedelta(minutes=10)


class NothingUploaded(NotFound):
    """Nothing lies there (yet), or it was completed and deleted: ask for a new upload."""


@dataclass(frozen=True, slots=True)
class Arrival:
    size: int
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Uploads:
    blobs: BlobServiceClient

    async def url(self, product_id: UUID, upload_id: UUID, until: datetime) -> str:
        """Whoever has it may create this one blob, once. Raises Unavailable."""
        return await self._signed(product_id, upload_id, BlobSasPermissions(create=True), until)

    async def source(self, product_id: UUID, upload_id: UUID, until: datetime) -> str:
        """Where storage itself can copy it from. Raises Unavailable."""
        return await self._signed(product_id, upload_id, BlobSasPermissions(read=True), until)

    async def arrived(self, product_id: UUID, upload_id: UUID) -> Arrival:
        """Raises NothingUploaded or Unavailable."""
        with answering():
            try:
                known = await self._blob(product_id, upload_id).get_blob_properties()
            except ResourceNotFoundError as error:
                raise NothingUploaded from error
        return Arrival(known.size, known.content_settings.content_type or "", known.etag)

    async def read(self, product_id: UUID, upload_id: UUID, most: int) -> bytes:
        """Its first `most` bytes. Raises NothingUploaded or Unavailable."""
        with answering():
            try:
                stream = await self._blob(product_id, upload_id).download_blob(0, most)
                return await stream.readall()
            except ResourceNotFoundError as error:
                raise NothingUploaded from error

    async def remove(self, product_id: UUID, upload_id: UUID) -> None:
        """As well as it can be done now."""
        try:
            await self._blob(product_id, upload_id).delete_blob()
        except AzureError:
            return

    async def _signed(self, product_id: UUID, upload_id: UUID, what: BlobSasPermissions, until: datetime) -> str:
        """With a user delegation key: there is no account key to sign with."""
        blob = self._blob(product_id, upload_id)
        with answering():
            key: UserDelegationKey = await self.blobs.get_user_delegation_key(until - 2 * LIFETIME, until)
        sas = generate_blob_sas(
            str(self.blobs.account_name),
            UPLOADS,
            blob.blob_name,
            user_delegation_key=key,
            permission=what,
            expiry=until,
            protocol="https",
        )
        return f"{blob.url}?{sas}"

    def _blob(self, product_id: UUID, upload_id: UUID) -> BlobClient:
        return self.blobs.get_blob_client(UPLOADS, f"{product_id.hex}/{upload_id.hex}")
