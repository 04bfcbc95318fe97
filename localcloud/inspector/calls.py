"""The functions of the functions host, which is another process, and how their last calls went, from its log."""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import msgspec
from msgspec import Meta, Struct
from msgspec import field as named

from localcloud import functions_keys, story

TAIL_BYTES: Final = 256 * 1024  # of the host's log
MOST_CALLS: Final = 5  # of each function
LONGEST_ERROR: Final = 500  # characters
ANSWER: Final = aiohttp.ClientTimeout(total=1)
LARGEST_ANSWER: Final = 1024 * 1024
ENDS: Final = {"function.called": True, "function.failed": False}


class Call(Struct, frozen=True, omit_defaults=True):
    at: datetime
    ok: bool
    milliseconds: float
    trace: str = ""
    error: str = ""


class Function(Struct, frozen=True):
    name: str
    trigger: str
    calls: list[Call]  # the last first


class Functions(Struct, frozen=True):
    answers: bool  # does the host?
    known: list[Function]


class _Binding(Struct, frozen=True):
    type: str = ""
    direction: str = named(default="in")


class _Config(Struct, frozen=True):
    bindings: list[_Binding] = []


class _Known(Struct, frozen=True):
    name: str
    config: _Config = _Config()


_Listed = Annotated[list[_Known], Meta(max_length=1000)]


@dataclass(frozen=True, slots=True)
class FunctionsHost:
    session: aiohttp.ClientSession
    url: str
    keys: Path = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, keys: Path) -> AsyncIterator["FunctionsHost"]:
        async with aiohttp.ClientSession() as session:
            yield cls(session, url, keys)

    async def known(self) -> list[tuple[str, str]] | None:
        """Each function's name and trigger; None where nobody answers."""
        try:
            headers = {"x-functions-key": functions_keys.read(self.keys / functions_keys.MASTER)}
            request = self.session.get(f"{self.url}/admin/functions", headers=headers, timeout=ANSWER)
            async with request as answer:
                listed = msgspec.json.decode(await answer.content.read(LARGEST_ANSWER), type=_Listed)
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError):
            return None
        return [(each.name, _trigger(each.config.bindings)) for each in listed]


def functions(known: list[tuple[str, str]] | None, calls: dict[str, list[Call]]) -> Functions:
    """Where the host is away, those that it has called lately."""
    names = known if known is not None else [(name, "") for name in sorted(calls)]
    return Functions(known is not None, [Function(name, trigger, calls.get(name, [])) for name, trigger in names])


def last_calls(log: Path) -> dict[str, list[Call]]:
    """By function, as far back as the log's tail tells. Blocks."""
    found = dict[str, list[Call]]()
    for line in reversed(tail(log)):
        if line["event"] in ENDS and len(calls := found.setdefault(str(line.get("function")), [])) < MOST_CALLS:
            calls.append(_call(line))
    return found


def tail(log: Path) -> list[dict[str, Any]]:
    """The last lines that are whole, and ours. Blocks."""
    try:
        with log.open("rb") as written:
            size = written.seek(0, os.SEEK_END)
            written.seek(max(0, size - TAIL_BYTES))
            content = written.read(TAIL_BYTES)
    except FileNotFoundError:
        return []
    return [line for each in content.splitlines() for line in story.understood(each)]


def _call(line: dict[str, Any]) -> Call:
    return Call(
        at=datetime.fromisoformat(line["timestamp"]),
        ok=ENDS[line["event"]],
        milliseconds=float(line.get("duration_ms") or 0),
        trace=str(line.get("trace_id") or ""),
        error=_last_line(str(line.get("exception") or "")),
    )


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][:LONGEST_ERROR]


def _trigger(bindings: Iterable[_Binding]) -> str:
    return next((each.type for each in bindings if each.type.lower().endswith("trigger")), "")
