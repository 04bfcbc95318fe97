"""Who may call: the host's keys, shown in `x-functions-key` or else in `?code=`."""

import hmac
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from localcloud import functions_keys


@dataclass(frozen=True, slots=True)
class Keys:
    master: str = field(repr=False)
    function: str = field(repr=False)
    event_grid: str = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> "Keys":
        """Raises FileNotFoundError: on Container Apps a key that is missing is not made up either."""
        return cls(*(functions_keys.read(folder / name) for name in functions_keys.NAMES))

    def open_admin(self, request: web.Request) -> bool:
        return self._shows(request, self.master)

    def open_function(self, request: web.Request) -> bool:
        return self._shows(request, self.function) or self._shows(request, self.master)

    def open_event_grid(self, request: web.Request) -> bool:
        return self._shows(request, self.event_grid) or self._shows(request, self.master)

    @staticmethod
    def _shows(request: web.Request, key: str) -> bool:
        shown = request.headers.get("x-functions-key") or request.query.get("code", "")
        return shown != "" and hmac.compare_digest(shown.encode(), key.encode())
