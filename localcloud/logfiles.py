"""One log file for each program, with the one before it beside it (`.1`); bounded, also while it is written to."""

import asyncio
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 20_000_000
LOOK_EVERY_SECONDS = 10.0
TAIL_BYTES = 8_000


@dataclass(frozen=True, slots=True)
class LogFiles:
    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def begin(self, name: str) -> Path:
        """A new, empty file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(name)
        if path.exists():
            path.replace(_previous(path))
        path.touch()
        return path

    def tail(self, name: str, lines: int) -> str:
        """The last lines."""
        with self.path(name).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    async def keep_bounded(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            await asyncio.to_thread(self.bound, MOST_BYTES)

    def bound(self, most: int) -> None:
        """Who writes holds the file open, so what is in it is moved, not the file. Lines written meanwhile are lost."""
        for path in self.folder.glob("*.log"):
            if path.stat().st_size > most:
                with suppress(OSError):  # where there is no room for it, the store does better without
                    shutil.copyfile(path, _previous(path))
                os.truncate(path, 0)


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
