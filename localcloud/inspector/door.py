"""Who may ask: whoever sits at this machine. A page of another origin can neither read nor do anything.

Loopback is open to every page that this machine's browser shows. So the Host must be ours (a name of somebody else's
that leads to 127.0.0.1 is not), what acts must come from our own page, and shows the token that the page carries.
"""

import hmac
import secrets
from dataclasses import dataclass, field

from aiohttp import web

from localcloud.addresses import HOST

SHOWN = "X-Inspector-Token"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class NotHere(Exception):
    """This is asked by a name that is not this machine's own."""


class NotOurPage(Exception):
    """This is not asked by the inspector's own page, or by one from before the cloud's last start: reload it."""


@dataclass(frozen=True, slots=True)
class Door:
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def check(self, request: web.Request) -> None:
        """Raises NotHere or NotOurPage."""
        hosts = [f"{name}:{self.port}" for name in (HOST, "localhost")]
        if request.host not in hosts:
            raise NotHere
        if request.method not in ("GET", "HEAD"):
            self._check_act(request, [f"http://{host}" for host in hosts])

    def _check_act(self, request: web.Request, origins: list[str]) -> None:
        """A browser always says the origin of what acts; a program at this machine may say none."""
        headers = request.headers
        came_from = headers.get("Origin") in (None, *origins)
        same_site = headers.get("Sec-Fetch-Site") in (None, "same-origin")
        shown = hmac.compare_digest(headers.get(SHOWN, "").encode(errors="replace"), self.token.encode())
        if not (came_from and same_site and shown and request.content_type == "application/json"):
            raise NotOurPage

    @staticmethod
    def dress(response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
