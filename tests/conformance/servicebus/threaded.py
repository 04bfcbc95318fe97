"""The SDK's synchronous client behind the asynchronous one's interface, by threads: so one suite tries both."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

MAKERS = ("get_queue_sender", "get_queue_receiver", "get_topic_sender", "get_subscription_receiver")


class Threaded:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aenter__(self) -> "Threaded":
        await asyncio.to_thread(self._inner.__enter__)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._inner.__exit__, *error)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (each := await asyncio.to_thread(next, iter(self._inner), None)) is not None:
            yield each

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name in MAKERS:
            return lambda *args, **kwargs: Threaded(value(*args, **kwargs))
        if name == "session":
            return Threaded(value)
        if not callable(value):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            made = await asyncio.to_thread(value, *args, **kwargs)
            return list(made) if name.startswith("list_") else made

        return call
