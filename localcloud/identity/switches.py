"""An outage, short lifetimes, new keys: what a test turns. The identity endpoint's secret guards it.

Forgotten at the next start, but for the keys.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from localcloud.access import Issuer

log = structlog.get_logger()


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    outage: bool = False  # nobody gets a token, nor the keys to check one
    lifetime_seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None  # of new tokens; None: as Azure


@dataclass(slots=True)
class Switches:
    issuer: Issuer
    folder: Path  # of the keys
    setting: Setting = field(default_factory=Setting)
    _rotating: asyncio.Lock = field(default_factory=asyncio.Lock)

    def lasting(self, usual: timedelta) -> timedelta:
        seconds = self.setting.lifetime_seconds
        return usual if seconds is None else timedelta(seconds=seconds)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/switches", self._show),
            web.put("/switches", self._turn),
            web.post("/keys", self._rotate),
        ]

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self.setting), content_type="application/json")

    async def _turn(self, request: web.Request) -> web.Response:
        try:
            self.setting = msgspec.json.decode(await request.read(), type=Setting)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return web.json_response({"statusCode": 400, "message": str(error)}, status=400)
        log.info("identity.turned", **msgspec.structs.asdict(self.setting))
        return await self._show(request)

    async def _rotate(self, _: web.Request) -> web.Response:
        async with self._rotating:
            await asyncio.to_thread(self.issuer.rotate, self.folder, datetime.now(UTC))
        log.info("identity.rotated", kid=self.issuer.key.kid)
        return web.json_response({"kid": self.issuer.key.kid}, status=201)
