"""What is opened once for the whole run, though each test has a loop of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

T = TypeVar("T")


def for_the_run(opening: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """For a fixture to yield from."""
    with asyncio.Runner() as runner:
        yield runner.run(opening.__aenter__())
        runner.run(opening.__aexit__(None, None, None))
