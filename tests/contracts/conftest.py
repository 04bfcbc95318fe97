"""What surrounds the functions, for what they ask of the services; and Blob Storage, for the catalogue's media."""

from tests.catalog.conftest import azurite, blobs, token
from tests.functions.conftest import credential, mailbox, owners, payments, till, to

__all__ = ["azurite", "blobs", "credential", "mailbox", "owners", "payments", "till", "to", "token"]
