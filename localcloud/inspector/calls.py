"""The functions of the functions host, which is another process, and how their last calls went, as it tells."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import aiohttp
import msgspec
from msgspec import Meta, Struct
from msgspec import field as named

from localcloud import functions_keys, http

MOST_CALLS: Final = 5  # of each function
LONGEST_ERROR: Final = 500  # characters
ANSWER: Final = aiohttp.ClientTimeout(total=1)
LARGEST_ANSWER: Final = 4 * 1024 * 1024  # what is longer breaks off there, and is no JSON

T = TypeVar("T")


class Call(Struct, frozen=True, omit_defaults=True):
    at: datetime
    ok: bool
    milliseconds: float
    trace: str = ""
    error: str = ""


class Function(Struct, frozen=True):
    name: str
    trigger: str
    calls: list[Call] | None  # the last first, since the host's start; None: it does not tell


class Functions(Struct, frozen=True):
    answers: bool  # does the host? Else nothing is known of them
    known: list[Function]


class _Binding(Struct, frozen=True):
    type: str = ""
    direction: str = named(default="in")


class _Config(Struct, frozen=True):
    bindings: list[_Binding] = []


class _Known(Struct, frozen=True):
    name: str
    config: _Config = _Config()


class _Ended(Struct, frozen=True):
    at: datetime
    duration_ms: float
    outcome: str
    trace_id: str | None = None
    error: str | None = None


class _Called(Struct, frozen=True):
    function: str
    calls: list[_Ended]


_Listed = Annotated[list[_Known], Meta(max_length=1000)]
_Told = Annotated[list[_Called], Meta(max_length=1000)]


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

    async def functions(self) -> Functions:
        listed, told = await asyncio.gather(self._ask("functions", _Listed), self._ask("calls", _Told))
        if listed is None:
            return Functions(answers=False, known=[])
        calls = {each.function: [_call(ended) for ended in each.calls[:MOST_CALLS]] for each in told or []}
        known = [Function(each.name, _trigger(each.config.bindings), calls.get(each.name)) for each in listed]
        return Functions(answers=True, known=known)

    async def _ask(self, what: str, kind: type[T] | Any) -> T | None:
        """None where nobody answers, or not that."""
        try:
            headers = {"x-functions-key": functions_keys.read(self.keys / functions_keys.MASTER)}
            async with self.session.get(f"{self.url}/admin/{what}", headers=headers, timeout=ANSWER) as answer:
                content = await http.at_most(LARGEST_ANSWER, answer.content)
            found: T = msgspec.json.decode(content, type=kind)
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return found


def _call(ended: _Ended) -> Call:
    return Call(
        at=ended.at,
        ok=ended.outcome == "succeeded",
        milliseconds=ended.duration_ms,
        trace=ended.trace_id or "",
        error=(ended.error or "")[:LONGEST_ERROR],
    )


def _trigger(bindings: Iterable[_Binding]) -> str:
    return next((each.type for each in bindings if each.type.lower().endswith("trigger")), "")
