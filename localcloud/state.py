"""The state folder: where the local cloud keeps what must outlive it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    folder: Path

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def identity(self) -> Path:
        return self.folder / "identity"

    @property
    def function_keys(self) -> Path:
        """Holds nothing but the host's keys: the functions host reads every file here."""
        return self.folder / "keys"

    @property
    def logs(self) -> Path:
        """Where the launcher has each program's."""
        return self.folder / "logs"

    def journal(self, of: str) -> Path:
        return self.folder / f"{of}.sqlite"


def made_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content, made on first use; for the owner's eyes only, and whole even after `kill -9`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, make())
    return path.read_bytes()


def write_private(path: Path, content: bytes) -> None:
    """Replaces the file at once and whole, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)
