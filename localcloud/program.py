"""A program that runs beside others: what starts it, when it is ready, how it is asked to stop."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    argv: list[str]
    ready: Callable[[], Awaitable[bool]]  # asked again and again until it says yes; never raises
    ports: tuple[int, ...] = ()  # must be free before it starts
    env: Mapping[str, str] = field(default_factory=dict)  # beside PATH, HOME, LANG
    cwd: Path | None = None
    uid: int | None = None  # run as this user (only root can)
    stop_signal: signal.Signals = signal.SIGTERM
