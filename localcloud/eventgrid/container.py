"""Where dead letters lie: a container of Azurite's."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Raw
from yarl import URL

from localcloud import azurite, http
from localcloud.eventgrid import death

ALWAYS: Final[Mapping[str, str]] = {}
WRITTEN: Final = {"Content-Type": "application/json", "x-ms-blob-type": "BlockBlob"}
ANSWER_SECONDS: Final = 10
API_VERSION: Final = "2021-12-02"
PAGE: Final = 5000  # names in one answer
LARGEST: Final = 16 * 1024 * 1024  # bytes that are read of a blob; what is longer is no JSON then
GONE: Final = (404, 412)  # another has changed or removed it meanwhile
MEANINGLESS: Final = ("", ".", "..")  # parts of a name that an address would lose


class NotTaken(Exception):
    """Storage is away, or refuses."""


class Blob(NamedTuple):
    name: str
    etag: str
    events: list[Raw]  # none where it can't be read


@dataclass(frozen=True, slots=True)
class Container:
    """All of it raises NotTaken."""

    session: aiohttp.ClientSession
    url: str
    token: Callable[[], str]

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, tls: ssl.SSLContext, token: Callable[[], str]) -> AsyncIterator["Container"]:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), timeout=timeout) as session:
            yield cls(session, url, token)

    async def put(self, name: str, content: bytes, if_match: Mapping[str, str] = ALWAYS) -> None:
        """With `if_match` nothing happens where another has changed or removed it meanwhile."""
        answer = await self._ask("PUT", self._blob(name), content, {**WRITTEN, **if_match})
        _expect(answer, 201, *(GONE if if_match else ()))

    async def names(self, prefix: str = "", most: int = PAGE) -> list[str]:
        """At most as many as one answer holds."""
        query = {"restype": "container", "comp": "list", "maxresults": str(min(most, PAGE)), "prefix": prefix}
        answer = await self._ask("GET", URL(self.url).with_query(query))
        _expect(answer, 200)
        return azurite.names(answer.content.decode())

    async def read(self, name: str) -> Blob | None:
        """None where there is none any more."""
        if any(part in MEANINGLESS for part in name.split("/")):
            return None
        answer = await self._ask("GET", self._blob(name))
        if answer.status == 404:
            return None
        _expect(answer, 200)
        return Blob(name, answer.etag, death.events(answer.content))

    async def keep(self, blob: Blob, rest: list[Raw]) -> None:
        """Only those of its events; nothing happens where another has changed the blob meanwhile."""
        as_it_was = {"If-Match": blob.etag}
        if rest:
            await self.put(blob.name, msgspec.json.encode(rest), as_it_was)
        else:
            _expect(await self._ask("DELETE", self._blob(blob.name), headers=as_it_was), 202, *GONE)

    def _blob(self, name: str) -> URL:
        return URL(f"{self.url}/{quote(name)}", encoded=True)

    async def _ask(self, verb: str, url: URL, body: bytes = b"", headers: Mapping[str, str] = ALWAYS) -> "_Answer":
        said = {"Authorization": f"Bearer {self.token()}", "x-ms-version": API_VERSION, **headers}
        try:
            async with self.session.request(verb, url, data=body or None, headers=said) as answer:
                return _Answer(
                    answer.status, answer.headers.get("ETag", ""), await http.at_most(LARGEST, answer.content)
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotTaken(f"storage can't be reached: {type(error).__name__}") from error


class _Answer(NamedTuple):
    status: int
    etag: str
    content: bytes


def _expect(answer: _Answer, *status: int) -> None:
    if answer.status not in status:
        raise NotTaken(f"storage answered {answer.status}")
