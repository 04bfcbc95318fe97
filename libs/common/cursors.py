"""List cursors: opaque to the caller, signed so that a cursor that was not ours is refused before any query."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from libs.common.errors import Invalid

T = TypeVar("T")
SIGNATURE_BYTES = 12


@dataclass(slots=True)
class Cursors:
    key: bytes
    former: bytes = b""  # what it has signed still opens

    def rekey(self, key: str) -> None:
        """The secret may have changed."""
        if (new := key.encode()) != self.key:
            self.key, self.former = new, self.key

    def seal(self, position: object) -> str:
        content = msgspec.json.encode(position)
        return urlsafe_b64encode(_sign(self.key, content) + content).decode().rstrip("=")

    def open(self, cursor: str, kind: type[T]) -> T:
        """Raises Invalid."""
        try:
            sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (NotBase64, UnicodeEncodeError) as error:
            raise _refusal() from error
        signature, content = sealed[:SIGNATURE_BYTES], sealed[SIGNATURE_BYTES:]
        keys = filter(None, (self.key, self.former))
        if not any(hmac.compare_digest(signature, _sign(key, content)) for key in keys):
            raise _refusal()
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.MsgspecError as error:  # a cursor of another list, or of an older version
            raise _refusal() from error


def _sign(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES]


def _refusal() -> Invalid:
    return Invalid("cursor", "use the cursor of a page of this list, unchanged")
