"""A store beside a model of it: hypothesis tells both the same story, and looks for the shortest that parts them.

Hypothesis is not asynchronous, so it runs in a thread; what it asks of the store runs on the loop of the test.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from libs.common.database import Database, Outbox
from libs.common.errors import StoreError
from libs.common.messages import CloudEvent, Fact, encode_fact
from tests.engines import MOST_TOLD

CHAPTERS, MOST_STEPS = 4, 12  # hypothesis likes short lists: one of 48 steps would have 5 on average, like one of 12
EXAMPLES = 10  # at a time: what hypothesis tries after the first ten are mostly variations of them

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., None])

Step = tuple[str, dict[str, Any]]  # a verb and its arguments
Told = dict[str, list[tuple[str, ...]]]  # of each aggregate its facts, the oldest first


@dataclass(frozen=True, slots=True)
class Bench:
    """One database for all examples of a test: each has a number, to make ids of that are its own."""

    outbox: Outbox
    loop: asyncio.AbstractEventLoop
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def take(self) -> list[CloudEvent]:
        async with self.outbox.claim(MOST_TOLD) as events:
            return [CloudEvent.decode(event) for event in events]


class Comparison:
    """One example: its verbs do the same to the store and to the model, and assert that both say the same."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.number = bench, next(bench.numbers)

    def begin(self) -> None:
        """What every story begins with."""

    def look(self, told: Told) -> None:
        """At all that can be seen, when the story is over."""
        raise NotImplementedError

    def id(self, number: int) -> UUID:
        """Higher than those of the examples before."""
        return UUID(int=self.number << 64 | number)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.bench.run(work)

    def outcome(self, work: Coroutine[Any, Any, T]) -> T | type[StoreError]:
        """What it returns, or how it refuses."""
        try:
            return self.run(work)
        except StoreError as refusal:
            return type(refusal)


def verb(**choices: Sequence[Any]) -> Callable[[F], F]:
    """A method of a Comparison that stories are made of, and what its arguments may be: the simplest comes first."""

    def marked(method: F) -> F:
        vars(method)["choices"] = choices
        return method

    return marked


@st.composite
def stories(draw: st.DrawFn, kind: type[Comparison]) -> list[Step]:
    verbs = {name: method.choices for name, method in vars(kind).items() if hasattr(method, "choices")}
    step = st.one_of([st.tuples(st.just(name), _one_of_all(choices)) for name, choices in verbs.items()])
    return [each for _ in range(CHAPTERS) for each in draw(st.lists(step, max_size=MOST_STEPS))]


def _one_of_all(choices: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """By one draw, not by one for each argument: hypothesis leaves out of a story what was few draws."""
    return st.sampled_from([dict(zip(choices, each, strict=True)) for each in product(*choices.values())])


async def compare(
    kind: type[Comparison], begin: Callable[[Bench], Comparison], database: Database, *, rounds: int
) -> None:
    """Of ten examples each, the same every time. The exception's notes tell the shortest story that fails."""
    async with database.lead(asyncio.Event()) as outbox:
        assert outbox
        bench, told = Bench(outbox, asyncio.get_running_loop()), stories(kind)
        for number in range(rounds):
            await asyncio.to_thread(_round, number, told, lambda: begin(bench))


def _round(number: int, stories: st.SearchStrategy[list[Step]], begin: Callable[[], Comparison]) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(stories)
    def example(story: list[Step]) -> None:
        _tell(begin(), story)

    example()


def _tell(comparison: Comparison, story: list[Step]) -> None:
    try:
        comparison.begin()
        for name, arguments in story:
            getattr(comparison, name)(**arguments)
    finally:
        told = comparison.run(comparison.bench.take())  # in any case: the next example shall not hear of this one
    comparison.look(by_aggregate(told))


def telling(facts: Iterable[Fact]) -> Told:
    """As it should be heard."""
    return by_aggregate(CloudEvent.decode(encode_fact(fact, "")) for fact in facts)


def by_aggregate(events: Iterable[CloudEvent]) -> Told:
    told: Told = defaultdict(list)
    for event in events:
        told[event.subject].append((event.type, event.id, event.time, bytes(event.data).decode()))
    return dict(told)
