"""Backups: all versions of a secret, sealed so that only this vault opens them."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from localcloud.keyvault.refusals import BadParameter
from localcloud.keyvault.secret import Kept
from localcloud.state import made_once

MOST_VERSIONS = 500
LARGEST_BACKUP = 32 * 1024 * 1024  # 500 versions of 25 KiB, as base64, with room
KEY_BYTES, NONCE_BYTES = 32, 12


@dataclass(frozen=True, slots=True)
class Safe:
    key: bytes

    @classmethod
    def open(cls, path: Path) -> "Safe":
        """The key is made on first use."""
        return cls(made_once(path, lambda: secrets.token_bytes(KEY_BYTES)))

    def seal(self, versions: list[Kept]) -> str:
        """Raises BadParameter."""
        if len(versions) > MOST_VERSIONS:
            raise BadParameter(f"A secret with more than {MOST_VERSIONS} versions can't be backed up.")
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + AESGCM(self.key).encrypt(nonce, msgspec.json.encode(versions), None)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open_backup(self, backup: str) -> list[Kept]:
        """Raises BadParameter."""
        try:
            sealed = base64.b64decode(backup + "=" * (-len(backup) % 4), altchars=b"-_", validate=True)
            plain = AESGCM(self.key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise BadParameter("The backup blob is not one of this vault, or was changed.") from error
        return msgspec.json.decode(plain, type=list[Kept])
