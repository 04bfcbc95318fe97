"""The state folder: where the local cloud keeps what must outlive it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class InUse(Exception):
    """Another local cloud keeps its state there: each needs a folder of its own."""


@dataclass(frozen=True, slots=True)
class State:
    folder: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """By one process, until it is gone, however it went. Raises InUse."""
        descriptor = os.open(self.folder / "cloud.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, self.folder)
            yield
        finally:
            os.close(descriptor)

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


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUse(f"{folder}: {InUse.__doc__}") from None


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
