"""What is noted of the functions' calls."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from libs.common.measures import QUICK
from libs.common.metrics import Histogram, Measure
from libs.common.watch import timed

P = ParamSpec("P")
T = TypeVar("T")

CALLS = Measure(
    "histogram", "faas.invoke_duration", "s", "Time that a function took.", ("faas.invoked_name", "error.type"), QUICK
)
ALL = (CALLS,)


def measured(calls: Histogram, name: str) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """A function with its time noted under its name."""

    def around(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @wraps(function)  # the host reads what it is to be called with
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with timed(calls, name):
                return await function(*args, **kwargs)

        return call

    return around
