"""Letters by Azure Communication Services: each is an operation whose id follows from its Message-ID."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid5

from azure.communication.email.aio import EmailClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from functions.mail import POST_SECONDS
from libs.common.errors import Unavailable

OPERATIONS = UUID("0d6f0b6c-6d3b-5b57-9f0c-4d1c7f6a2e51")  # the namespace of their ids
API_VERSION = "2025-09-01"
PATIENCE: Mapping[str, Any] = {
    "retry_total": 1,
    "retry_backoff_factor": 0.2,
    "connection_timeout": 3,
    "read_timeout": 5,
}
GONE_WRONG = ("Failed", "Canceled")
HEADERS = ("X-Trace-Id", "X-Customer-Id", "X-Order-Id")  # of ours, that go along


@dataclass(frozen=True, slots=True)
class AzureMail:
    client: EmailClient

    @classmethod
    def open(cls, url: str, credential: AsyncTokenCredential, **transport: Any) -> "AzureMail":
        """`transport` takes what azure-core's pipeline takes, e.g. `connection_verify`."""
        return cls(EmailClient(url, credential, api_version=API_VERSION, **PATIENCE, **transport))

    async def post(self, letter: EmailMessage) -> None:
        """Asks first: what the service does with an id that comes again is only said for the first five minutes."""
        operation = str(uuid5(OPERATIONS, letter["Message-ID"]))
        try:
            async with asyncio.timeout(POST_SECONDS):
                if not await self._is_known(operation):
                    await self.client.begin_send(message_of(letter), operation_id=operation, polling=False)
        except (AzureError, OSError) as error:
            # Not `from error`: it quotes the service, which may quote the recipient's address.
            said = f"{type(error).__name__} {getattr(error, 'status_code', None) or ''}".rstrip()
            raise Unavailable(f"the letter can't be posted now: {said}") from None

    async def _is_known(self, operation: str) -> bool:
        """Raises Unavailable where it has failed: under its id it can't be sent again."""
        asking = HttpRequest("GET", f"/emails/operations/{operation}", params={"api-version": API_VERSION})
        answer = await self.client.send_request(asking)
        if answer.status_code == 404:
            return False
        answer.raise_for_status()
        status = answer.json().get("status")
        if status in GONE_WRONG:
            raise Unavailable(f"the mail service could not send the letter: {status}")
        return True


def message_of(letter: EmailMessage) -> dict[str, Any]:
    """As the service's REST API takes it. Of the sender it wants the bare address."""
    texts = {part.get_content_subtype(): part.get_content() for part in letter.walk() if not part.is_multipart()}
    (recipient,), (sender,) = letter["To"].addresses, letter["From"].addresses
    ours = {name: str(letter[name]) for name in HEADERS if letter[name]}
    return {
        "senderAddress": sender.addr_spec,
        "recipients": {"to": [{"address": recipient.addr_spec, "displayName": recipient.display_name}]},
        "content": {"subject": str(letter["Subject"]), "plainText": texts["plain"], "html": texts["html"]},
        # Message-ID and Date are the service's own.
        "headers": ours | {"X-Letter-Id": str(letter["Message-ID"]), "X-Letter-Date": str(letter["Date"])},
        "userEngagementTrackingDisabled": True,
    }
