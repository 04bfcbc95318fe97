"""List cursors: opaque to the caller, signed so that a cursor that was not ours is refused before any query."""

import asyncio
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Self, TypeVar

import msgspec

from libs.common.errors import Invalid, Unavailable
from libs.common.vault import Vault

T = TypeVar("T")
SIGNATURE_BYTES = 12
LOOK_SECONDS = 10.0  # between two looks for a newer key, whatever cursors are made up
PATIENCE_SECONDS = 2.0  # of a look


@dataclass(slots=True)
class Cursors:
    """Another instance may know a newer key: then `look` finds it, as soon as a cursor comes that it has sealed."""

    key: bytes
    former: bytes = b""  # what it has signed still opens
    look: Callable[[], Awaitable[str]] | None = None
    clock: Callable[[], float] = monotonic
    _looked_at: float = -LOOK_SECONDS
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def of(cls, vault: Vault, name: str) -> Self:
        """With the key that is the secret of this name. Raises Unavailable."""
        return cls((await vault.read(name)).encode(), look=lambda: vault.read(name, fresh_seconds=PATIENCE_SECONDS))

    def rekey(self, key: str) -> None:
        """The secret may have changed."""
        if (new := key.encode()) != self.key:
            self.key, self.former = new, self.key

    def seal(self, position: object) -> str:
        content = msgspec.json.encode(position)
        return urlsafe_b64encode(_sign(self.key, content) + content).decode().rstrip("=")

    async def open(self, cursor: str, kind: type[T]) -> T:
        """Raises Invalid."""
        try:
            sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (NotBase64, UnicodeEncodeError) as error:
            raise _refusal() from error
        signature, content = sealed[:SIGNATURE_BYTES], sealed[SIGNATURE_BYTES:]
        if not self._has_signed(content, signature):
            await self._look()
            if not self._has_signed(content, signature):
                raise _refusal()
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as error:  # a cursor of another list, or of an older version
            raise _refusal() from error

    def _has_signed(self, content: bytes, signature: bytes) -> bool:
        keys = filter(None, (self.key, self.former))
        return any(hmac.compare_digest(signature, _sign(key, content)) for key in keys)

    async def _look(self) -> None:
        """Who comes meanwhile waits for it, and does not look again."""
        async with self._turn:
            if self.look is None or self.clock() - self._looked_at < LOOK_SECONDS:
                return
            self._looked_at = self.clock()
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self.rekey(await self.look())


def _sign(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES]


def _refusal() -> Invalid:
    return Invalid("cursor", "use the cursor of a page of this list, unchanged")
