"""Call-backs: signed, sent until they are taken, or until the store says that it never will."""

import asyncio
import hashlib
import hmac
import random
from contextlib import suppress
from dataclasses import dataclass, field
from time import time

import aiohttp
import structlog

from localcloud.payments.till import Callback, Till

TIMEOUT = aiohttp.ClientTimeout(total=10)
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 30.0
MOST_ATTEMPTS = 200
REFUSED_FOR_GOOD = (400, 413)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Callbacks:
    till: Till
    session: aiohttp.ClientSession
    url: str
    key: str = field(repr=False)
    chance: random.Random

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.till.changed.clear()
            await self.till.settle_due(time())
            due = await self.till.due(time())
            async with asyncio.TaskGroup() as sending:
                for callback in due:
                    sending.create_task(self._send(callback))
            if not due:
                await self._rest(await self.till.next_due())

    async def _rest(self, until: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else until - time()):
                await self.till.changed.wait()

    async def _send(self, callback: Callback) -> None:
        async with asyncio.TaskGroup() as posting:
            posts = [posting.create_task(self._post(callback)) for _ in range(callback.copies)]
        statuses = [post.result() for post in posts]
        log.info("callback.sent", callback_id=callback.id, statuses=statuses, attempts=callback.attempts + 1)
        if all(status == 202 for status in statuses):
            await self.till.called_back(callback.id)
        elif any(status in REFUSED_FOR_GOOD for status in statuses) or callback.attempts + 1 >= MOST_ATTEMPTS:
            await self.till.bury(callback.id)
        else:
            longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(callback.attempts, 20))
            await self.till.postpone(callback.id, time() + self.chance.uniform(longest / 2, longest))

    async def _post(self, callback: Callback) -> int:
        """0: nobody has answered."""
        told = str(int(time()))
        headers = {
            "Content-Type": "application/json",
            "Payment-Timestamp": told,
            "Payment-Signature": sign(callback.body, told, self.key),
            "traceparent": callback.traceparent,
        }
        try:
            async with self.session.post(self.url, data=callback.body, headers=headers, timeout=TIMEOUT) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0


def sign(body: bytes, told: str, key: str) -> str:
    """`told` is the time, in seconds since 1970."""
    return hmac.digest(key.encode(), told.encode() + b"." + body, hashlib.sha256).hex()
