"""When each timer was last called and is due next, in a file each, as Azure keeps it in a blob each.

Source: ScheduleMonitor of Microsoft.Azure.WebJobs.Extensions.
"""

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from localcloud.functions_host.ncrontab import Schedule

log = structlog.get_logger()


class Status(Struct, frozen=True, rename="pascal", kw_only=True):
    last: datetime | None = None
    next: datetime
    last_updated: datetime


@dataclass(frozen=True, slots=True)
class Monitor:
    folder: Path | None  # without one, nothing is known at the next start

    async def recall(self, name: str, schedule: Schedule, now: datetime) -> Status:
        """A schedule that is no longer the one of that time begins anew, from the last call."""
        known = await asyncio.to_thread(self._read, name)
        if known is None:
            known = Status(next=schedule.next(now), last_updated=now)
        elif known.next != (expected := schedule.next(known.last or known.last_updated)):
            known = Status(last=known.last, next=expected, last_updated=now)
        else:
            return known
        await self.remember(name, known)
        return known

    async def remember(self, name: str, status: Status) -> None:
        await asyncio.to_thread(self._write, name, status)

    def _read(self, name: str) -> Status | None:
        file = self._file(name)
        if file is None or not file.is_file():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=Status)
        except msgspec.DecodeError as error:
            log.warning("timer.forgotten", function=name, reason=str(error))
            return None

    def _write(self, name: str, status: Status) -> None:
        """Whole or not at all."""
        file = self._file(name)
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        with draft.open("wb") as into:
            into.write(msgspec.json.encode(status))
            into.flush()
            os.fsync(into.fileno())
        draft.replace(file)

    def _file(self, name: str) -> Path | None:
        return self.folder / "timers" / f"{name}.json" if self.folder else None
