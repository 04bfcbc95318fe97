"""Before events go to a webhook it says that it wants them: at once, or by calling back ("Endpoint validation")."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from localcloud import http
from localcloud.eventgrid.pending import UNKEPT
from localcloud.eventgrid.schemas import topic_id
from localcloud.eventgrid.webhook import ORIGIN, OWN
from localcloud.subscription import Subscription

RATE: Final = "120"  # requests a minute
KIND: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds until it is asked again
LARGEST_ANSWER: Final = 65_536

log = structlog.get_logger()


class Proof(Struct, frozen=True):
    code: str = msgspec.field(name="validationResponse")


@dataclass(slots=True)
class Handshake:
    session: aiohttp.ClientSession
    of: Subscription
    itself: str  # Event Grid's own address
    answer_seconds: Callable[[], float]
    remember: Callable[[str, str], Awaitable[None]]
    code: str = field(default_factory=lambda: str(uuid4()), repr=False)
    agreed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def callback(self) -> str:
        return f"{self.itself}/validate?subscription={self.of.name}&code={self.code}"

    def accept(self, code: str) -> bool:
        """By hand: somebody has opened the address that was sent."""
        if good := hmac.compare_digest(code.encode(errors="surrogatepass"), self.code.encode()):
            self.agreed.set()
        return good

    async def done(self) -> None:
        """Returns when the endpoint has agreed, and that is on disk; where it can't be written, it is asked again."""
        pause = FIRST_PAUSE
        while not self.agreed.is_set():
            if (wrong := await self._asked()) is None:
                break
            log.warning("endpoint.not_validated", subscription=self.of.name, reason=wrong)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.agreed.wait()
            pause = min(2 * pause, LONGEST_PAUSE)
        self.agreed.set()
        log.info("endpoint.validated", subscription=self.of.name)
        try:
            await self.remember(self.of.name, self.of.to.webhook or "")
        except UNKEPT as error:
            log.warning("endpoint.not_remembered", subscription=self.of.name, reason=str(error))

    async def _asked(self) -> str | None:
        """What is wrong; None: it has agreed."""
        try:
            async with asyncio.timeout(self.answer_seconds()):
                return await (self._offered() if self.of.schema == "cloudevents" else self._challenged())
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__  # its text may have the address, which may hold a secret
        except Exception as error:  # a last door, as at `destination.attempt`: it is asked again
            log.exception("handshake.broke", subscription=self.of.name)
            return type(error).__name__

    async def _offered(self) -> str | None:
        """CloudEvents' HTTP webhooks, "Abuse protection"."""
        headers = {
            "WebHook-Request-Origin": ORIGIN,
            "WebHook-Request-Rate": RATE,
            "WebHook-Request-Callback": self.callback,
        }
        async with self.session.options(self.of.to.webhook or "", headers=headers, allow_redirects=False) as answer:
            agreed = allows(answer.status, answer.headers)
            return None if agreed else f"OPTIONS: {answer.status}, and no WebHook-Allowed-Origin: {ORIGIN}"

    async def _challenged(self) -> str | None:
        headers = {"Content-Type": OWN, "aeg-event-type": "SubscriptionValidation"}
        headers["aeg-subscription-name"] = self.of.name.upper()
        body = challenge(self.of, self.code, self.callback, datetime.now(UTC))
        post = self.session.post(self.of.to.webhook or "", data=body, headers=headers, allow_redirects=False)
        async with post as answer:
            agreed = proves(answer.status, await http.at_most(LARGEST_ANSWER, answer.content), self.code)
            return None if agreed else f"POST: {answer.status}, and not the code as its validationResponse"


def allows(status: int, headers: Mapping[str, str]) -> bool:
    return status == 200 and headers.get("WebHook-Allowed-Origin", "").strip().lower() in (ORIGIN, "*")


def proves(status: int, body: bytes, code: str) -> bool:
    try:
        return status == 200 and msgspec.json.decode(body, type=Proof).code == code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def challenge(of: Subscription, code: str, callback: str, at: datetime) -> bytes:
    event: dict[str, Any] = {
        "id": code,
        "topic": topic_id(of.topic),
        "subject": "",
        "data": {"validationCode": code, "validationUrl": callback},
        "eventType": KIND,
        "eventTime": at,
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    return msgspec.json.encode([event])
