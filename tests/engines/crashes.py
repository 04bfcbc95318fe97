"""A verb, interrupted at every turn of its talk with the engine: done whole or not at all, and again, only once."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from libs.common.database import Database
from libs.common.errors import StoreError, Unavailable
from tests.engines import Engine
from tests.engines.wire import Wire

MOST_CUTS = 14  # of a verb; of more turns some are left out, evenly


@dataclass(frozen=True, slots=True)
class Verb:
    """`do` is what a caller would repeat, with the same key or cause; `done` is how it may be told that it was done."""

    migrate: Callable[[Database], Awaitable[None]]
    open: Callable[[Database], Awaitable[Any]]  # the store
    prepare: Callable[[Any], Awaitable[None]]
    do: Callable[[Any], Awaitable[Any]]
    see: Callable[[Any, Database], Awaitable[Any]]  # all that can be seen of it, the facts included
    done: tuple[type[StoreError], ...] = ()


async def survives(engine: Engine, verb: Verb) -> None:
    turns, before, after = await _undisturbed(engine, verb)
    assert before != after
    cuts = [(turn, lost) for turn in range(1, turns + 1) for lost in (False, True)]
    for turn, lost in cuts[:: -(-len(cuts) // MOST_CUTS)]:
        await _interrupted(engine, verb, turn, lost, (before, after))


async def _undisturbed(engine: Engine, verb: Verb) -> tuple[int, Any, Any]:
    async with engine.fresh() as url, engine.connect(url) as direct, Wire.before(url) as (wire, through):
        await verb.migrate(direct)
        store = await verb.open(direct)
        await verb.prepare(store)
        before = await verb.see(store, direct)
        async with engine.connect(through) as wired:
            interrupted = await verb.open(wired)
            wire.listen()
            await verb.do(interrupted)
            turns = wire.turns
        return turns, before, await verb.see(store, direct)


async def _interrupted(engine: Engine, verb: Verb, turn: int, lost: bool, sights: tuple[Any, Any]) -> None:
    async with engine.fresh() as url, engine.connect(url) as direct, Wire.before(url) as (wire, through):
        await verb.migrate(direct)
        store = await verb.open(direct)
        await verb.prepare(store)
        async with engine.connect(through) as wired:
            interrupted = await verb.open(wired)
            wire.cut_at(turn, answer_lost=lost)
            with suppress(Unavailable):  # and nothing else; where it went well, the answer had passed
                await verb.do(interrupted)
            assert await verb.see(store, direct) in sights, f"half done at turn {turn}, answer lost: {lost}"
            wire.heal()
            with suppress(*verb.done):
                await verb.do(interrupted)
        assert await verb.see(store, direct) == sights[1], f"not once, after turn {turn}, answer lost: {lost}"
