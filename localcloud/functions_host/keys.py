"""Who may call: the host's keys, shown in `x-functions-key` or else in `?code=`.

Files as on Container Apps: `host.master`, `host.function.NAME` (all functions), `host.systemKey.EXTENSION`, and
`functions.FUNCTION.NAME` (that function alone).
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from localcloud import functions_keys

Named = Mapping[str, str]  # keys by their names


@dataclass(frozen=True, slots=True)
class Keys:
    master: str = field(repr=False)
    host: Named = field(repr=False)
    system: Named = field(repr=False)  # by extension
    functions: Mapping[str, Named] = field(repr=False, default_factory=dict)  # by function, in lower case

    @classmethod
    def read(cls, folder: Path) -> "Keys":
        """Raises FileNotFoundError: on Container Apps a key that is missing is not made up either."""
        needed = {name: functions_keys.read(folder / name) for name in functions_keys.NAMES}
        texts = needed | {each.name: functions_keys.read(each) for each in folder.iterdir() if each.is_file()}
        functions: dict[str, dict[str, str]] = {}
        for name, key in _under("functions.", texts).items():
            function, _, of_function = name.rpartition(".")
            functions.setdefault(function.lower(), {})[of_function] = key
        system = _under("host.systemKey.", texts)
        return cls(needed["host.master"], _under("host.function.", texts), system, functions)

    def open_admin(self, request: web.Request) -> bool:
        return _shows(request, [self.master])

    def open_function(self, request: web.Request, name: str) -> bool:
        own = self.functions.get(name.lower(), {})
        return _shows(request, [self.master, *self.host.values(), *own.values()])

    def open_webhook(self, request: web.Request, extension: str) -> bool:
        own = self.system.get(f"{extension}_extension")
        return _shows(request, [self.master, own] if own else [self.master])


def _under(prefix: str, texts: Named) -> dict[str, str]:
    return {name.removeprefix(prefix): key for name, key in texts.items() if name.startswith(prefix)}


def _shows(request: web.Request, keys: Iterable[str]) -> bool:
    shown = (request.headers.get("x-functions-key") or request.query.get("code", "")).encode(errors="surrogateescape")
    return shown != b"" and any(hmac.compare_digest(shown, key.encode()) for key in keys if key)
