"""The door of a service: how many are let in at once, how often each caller, and pages of which origins."""

from dataclasses import dataclass, field

from aiohttp import web

from libs.common import cors
from libs.common.auth import Caller, Role
from libs.common.errors import TooManyRequests
from libs.common.operations import operation_of
from libs.common.proxies import Client, client_behind
from libs.common.rates import Left, Rates
from libs.common.settings import PRIVATE, ServiceSettings
from libs.common.slots import Overloaded

MOST_AT_ONCE = 512  # with a body of up to 1 MiB each; far more than can be done at once, so that a burst waits
PROBES = ("/health/", "/metrics")
REMAINING = web.RequestKey("remaining", Left)


@dataclass(slots=True)
class Entrance:
    rates: Rates = field(default_factory=Rates)
    origins: frozenset[str] = frozenset()
    client: Client = field(default_factory=lambda: client_behind(PRIVATE))
    most_at_once: int = MOST_AT_ONCE
    _inside: int = 0

    @classmethod
    def told(cls, settings: ServiceSettings) -> "Entrance":
        """Raises Incomplete."""
        rates = Rates(settings.rate_limit)
        return cls(rates, cors.origins(settings.cors_origins), client_behind(settings.trusted_proxies))

    def enter(self, request: web.Request) -> None:
        """Raises Overloaded. Streams have a bound of their own on how many there are."""
        if self._inside >= self.most_at_once and not (operation_of(request).streams or _is_probe(request)):
            raise Overloaded
        self._inside += not operation_of(request).streams

    def leave(self, request: web.Request) -> None:
        self._inside -= not operation_of(request).streams

    def count(self, request: web.Request, caller: Caller | None) -> None:
        """Whoever has not shown who they are is known by their address. Raises TooManyRequests."""
        if not self.rates.most or _is_probe(request) or (caller and caller.is_(Role.SERVICE)):
            return
        who = caller.id if caller else self.client(request.remote or "", request.headers.get("X-Forwarded-For", ""))
        request[REMAINING] = left = self.rates.take(who)
        if left.wait:
            raise TooManyRequests(left.wait)


ENTRANCE = web.AppKey("entrance", Entrance)


def _is_probe(request: web.Request) -> bool:
    return request.path.startswith(PROBES)
