"""A request to Key Vault, and the answers to it: bundles, pages of them, errors."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from localcloud.keyvault import wire
from localcloud.keyvault.refusals import BadParameter, TooLarge
from localcloud.keyvault.secret import Deleted, Kept
from localcloud.keyvault.wire import Bundle, Failed, Listed, Problem, Sealed

PAGE = 25  # the default, and the most
NOT_KEPT = {"Cache-Control": "no-store"}

After = TypeVar("After", str, int)
Thing = TypeVar("Thing", Kept, Deleted)


@dataclass(frozen=True, slots=True)
class Page(Generic[After]):
    after: After
    size: int


@dataclass(frozen=True, slots=True)
class Asked:
    """About one secret, or with an empty name about all."""

    http: web.Request
    name: str

    @property
    def written(self) -> str:
        """Its name, as the request says it."""
        return self.http.match_info["name"]

    @property
    def version(self) -> str:
        return self.http.match_info.get("version", "").lower()

    @property
    def vault(self) -> str:
        return f"{self.http.scheme}://{self.http.host}"

    async def content(self, most: int = wire.LARGEST_REQUEST) -> bytes:
        """Raises TooLarge."""
        content = await self.http.read()
        if len(content) > most:
            raise TooLarge(f"The request has more than {most} bytes.")
        return content

    def page(self, first: After) -> Page[After]:
        """Raises BadParameter."""
        size, token = self.http.query.get("maxresults", str(PAGE)), self.http.query.get("$skiptoken")
        if not (size.isascii() and size.isdigit() and len(size) < 4 and 1 <= int(size) <= PAGE):
            raise BadParameter(f"maxresults is a number from 1 to {PAGE}.")
        return Page(first if token is None else _unseal(token, type(first)), int(size))

    def bundle(self, kept: Kept) -> web.Response:
        return answer(wire.bundle(self.vault, kept))

    def with_value(self, kept: Kept) -> web.Response:
        return answer(msgspec.structs.replace(wire.bundle(self.vault, kept), value=kept.secret.value))

    def deleted(self, deleted: Deleted) -> web.Response:
        return answer(wire.removed(wire.bundle(self.vault, deleted.kept), self.vault, deleted))

    def secrets(self, found: list[tuple[After, Kept]], page: Page[After]) -> web.Response:
        return self._listed(found, page, lambda kept: wire.unversioned(self.vault, kept))

    def versions(self, found: list[tuple[After, Kept]], page: Page[After]) -> web.Response:
        return self._listed(found, page, lambda kept: wire.bundle(self.vault, kept))

    def all_deleted(self, found: list[tuple[After, Deleted]], page: Page[After]) -> web.Response:
        return self._listed(
            found, page, lambda each: wire.removed(wire.unversioned(self.vault, each.kept), self.vault, each)
        )

    def backup(self, sealed: str) -> web.Response:
        return answer(Sealed(sealed))

    def _listed(
        self, found: Sequence[tuple[After, Thing]], page: Page[After], show: Callable[[Thing], Bundle]
    ) -> web.Response:
        """`found` has one more than the page where there is another page."""
        shown, link = found[: page.size], None
        if len(found) > page.size:
            query = {**self.http.query, "maxresults": str(page.size), "$skiptoken": _seal(shown[-1][0])}
            link = f"{self.vault}{self.http.rel_url.with_query(query)}"
        return answer(Listed([show(thing) for _, thing in shown], link))


def answer(body: Struct, status: int = 200, headers: Mapping[str, str] = NOT_KEPT) -> web.Response:
    content = msgspec.json.encode(body)
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")


def error(status: int, problem: Problem, headers: Mapping[str, str] = NOT_KEPT) -> web.Response:
    return answer(Failed(problem), status, headers)


def _seal(after: str | int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(after)).decode()


def _unseal(token: str, of: type[After]) -> After:
    try:
        after = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True), type=of)
    except (msgspec.DecodeError, binascii.Error, ValueError) as broken:
        raise BadParameter("The $skiptoken is not one of ours.") from broken
    if isinstance(after, int) and not 0 <= after < 2**63:
        raise BadParameter("The $skiptoken is not one of ours.")
    return after
