"""Who may publish: by the topic's key, by a signature made with it, or by a token of Entra ID."""

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote_plus, urlsplit

from localcloud.access import Unauthorized

KEY, TOKEN = "aeg-sas-key", "aeg-sas-token"
SIGNED = re.compile(r"(r=(?P<resource>[^&]+)&e=(?P<expiry>[^&]+))&s=(?P<signature>[^&]+)")
LONGEST = 4096


class Refused(Unauthorized):
    """The request is not signed by a key of the topic, or not any more."""


@dataclass(frozen=True, slots=True)
class Door:
    authorize: Callable[[str, str], None]  # of a token and a topic; raises access.Unauthorized or access.Forbidden
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)  # base64, by topic

    def admit(self, headers: Mapping[str, str], topic: str, at: datetime) -> None:
        """Raises access.Unauthorized or access.Forbidden."""
        said = headers.get("Authorization", "")
        if KEY in headers:
            self._by_key(headers[KEY], topic)
        elif signed := headers.get(TOKEN) or _after(said, "SharedAccessSignature "):
            self._by_signature(signed, topic, at)
        else:
            self.authorize(said.removeprefix("Bearer "), topic)

    def _by_key(self, shown: str, topic: str) -> None:
        if not any(_same(shown, key) for key in self.keys.get(topic, ())):
            raise Refused("The request has no valid aeg-sas-key of the topic.")

    def _by_signature(self, token: str, topic: str, at: datetime) -> None:
        found = SIGNED.fullmatch(token) if len(token) <= LONGEST else None
        if not found:
            raise Refused("The aeg-sas-token must be r=<resource>&e=<expiry>&s=<signature>.")
        shown = unquote_plus(found["signature"])
        if not any(_same(shown, sign(key, found[1])) for key in self.keys.get(topic, ())):
            raise Refused("The aeg-sas-token is not signed by a key of the topic.")
        if _expiry(unquote_plus(found["expiry"])) <= at:
            raise Refused("The aeg-sas-token has expired.")
        if _path(unquote_plus(found["resource"])) != f"/{topic}/api/events".lower():
            raise Refused("The aeg-sas-token is for another resource.")


def sign(key: str, text: str) -> str:
    digest = hmac.digest(base64.b64decode(key), text.encode(errors="surrogateescape"), "sha256")
    return base64.b64encode(digest).decode()


def _after(said: str, scheme: str) -> str | None:
    return said.removeprefix(scheme) if said.startswith(scheme) else None


def _same(shown: str, known: str) -> bool:
    return hmac.compare_digest(shown.encode(errors="surrogatepass"), known.encode())


def _path(resource: str) -> str:
    try:
        return urlsplit(resource).path.rstrip("/").lower()
    except ValueError:
        return ""


def _expiry(text: str) -> datetime:
    for read in (_iso, _american):
        with suppress(ValueError):
            return read(text)
    raise Refused("The aeg-sas-token says no time of expiry that can be read.")


def _iso(text: str) -> datetime:
    said = datetime.fromisoformat(text)
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def _american(text: str) -> datetime:
    """As .NET and JavaScript write it: 3/4/2026 5:06:07 AM."""
    return datetime.strptime(f"{text} +0000", "%m/%d/%Y %I:%M:%S %p %z")
