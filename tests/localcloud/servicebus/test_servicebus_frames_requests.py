"""What `$management` answers, without a socket."""

from typing import Any
from uuid import UUID

import pytest

from localcloud.servicebus.encoding import Array, uuid
from localcloud.servicebus.encoding import wide_long as long
from tests.localcloud.servicebus.peer import LOCK_MS, NOON, Client


async def test_a_renewal_tells_until_when(client: Client) -> None:
    client.send(b"1")
    client.receives()
    await client.written()
    client.now[0] += 1_000

    said, body = client.ask(
        "renew-lock", {"lock-tokens": Array(uuid, [UUID(bytes_le=each) for each in client.entity.queue.locked])}
    )

    assert (said["statusCode"], body) == (200, {"expirations": [NOON + 1_000 + LOCK_MS]})


@pytest.mark.parametrize(
    ("operation", "body", "status", "condition"),
    [
        ("renew-lock", {"lock-tokens": Array(uuid, [UUID(int=9)])}, 410, "com.microsoft:message-lock-lost"),
        ("renew-lock", {}, 400, "com.microsoft:argument-error"),
        ("peek-message", None, 400, "com.microsoft:argument-error"),
        ("peek-message", {"from-sequence-number": 1, "message-count": "x"}, 400, "com.microsoft:argument-error"),
        ("update-disposition", {"disposition-status": "lost"}, 400, "com.microsoft:argument-error"),
        ("schedule-message", {}, 400, "com.microsoft:argument-error"),
        ("cancel-scheduled-message", {"sequence-numbers": Array(long, [7])}, 404, "com.microsoft:message-not-found"),
        ("renew-session-lock", {"session-id": "a"}, 410, "com.microsoft:session-lock-lost"),
        ("fly", {}, 501, "amqp:not-implemented"),
    ],
)
async def test_a_request_that_fails_says_why(
    client: Client, operation: str, body: Any, status: int, condition: str
) -> None:
    said, _ = client.ask(operation, body)

    assert (said["statusCode"], said["errorCondition"]) == (status, condition)
