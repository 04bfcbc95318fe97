"""What the Service Bus emulator costs: `python -m bench.servicebus` prints its CPU for each message beside the SDK's
own, and its memory with a million messages waiting. What was found is in docs/localcloud/servicebus.md.
"""

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import uvloop
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from localcloud.servicebus import Broker, message
from localcloud.servicebus.claims import Key
from localcloud.servicebus.performatives import Properties
from localcloud.topology import Queue
from localcloud.waiting import until

MESSAGES: Final = 2_000
BATCH: Final = 100
BODY: Final = bytes(500)
KEY: Final = "for-measuring"
QUEUES: Final = {"measured": Queue(max_megabytes=8_192)}
START_SECONDS: Final = 30.0


class Cost(NamedTuple):
    what: str
    client: float  # microseconds of CPU for each message
    broker: float


async def serve(folder: Path) -> None:
    """Says its port on standard output."""
    keys = {"all": Key(KEY)}
    async with (
        Broker.open(QUEUES, folder / "bus.sqlite", lambda *_: None, keys=keys) as broker,
        broker.listen("127.0.0.1", 0, None) as port,
    ):
        (folder / "port").write_text(str(port))
        await asyncio.Event().wait()


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[psutil.Process, ServiceBusClient]]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.servicebus", "--serve", str(folder))
    try:
        await until(lambda: _started(folder), bool, seconds=START_SECONDS)
        endpoint = f"Endpoint=sb://127.0.0.1:{(folder / 'port').read_text()};UseDevelopmentEmulator=true"
        keyed = f"{endpoint};SharedAccessKeyName=all;SharedAccessKey={KEY}"
        async with ServiceBusClient.from_connection_string(keyed) as sdk:
            yield psutil.Process(process.pid), sdk
    finally:
        process.terminate()
        await process.wait()


async def _started(folder: Path) -> bool:
    port = folder / "port"
    return port.exists() and bool(port.read_text())


async def measured(what: str, broker: psutil.Process, act: Awaitable[None]) -> Cost:
    before, start = _spent(broker), time.process_time()
    await act
    after, took = _spent(broker), time.process_time() - start
    return Cost(what, took / MESSAGES * 1e6, (after - before) / MESSAGES * 1e6)


def _spent(process: psutil.Process) -> float:
    """Seconds of CPU; on Linux exactly, where `cpu_times` is guessed from ticks."""
    threads = [*Path(f"/proc/{process.pid}/task").glob("*/schedstat")]
    if threads:
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    times = process.cpu_times()
    return times.user + times.system


async def send_batches(sdk: ServiceBusClient) -> None:
    async with sdk.get_queue_sender("measured") as sender:
        for _ in range(MESSAGES // BATCH):
            await sender.send_messages([ServiceBusMessage(BODY) for _ in range(BATCH)])


async def send_singly(sdk: ServiceBusClient) -> None:
    async with sdk.get_queue_sender("measured") as sender:
        for _ in range(MESSAGES):
            await sender.send_messages(ServiceBusMessage(BODY))


async def complete(sdk: ServiceBusClient) -> None:
    async with sdk.get_queue_receiver("measured") as receiver:

        async def settle(messages: list[object]) -> None:
            for each in messages:
                await receiver.complete_message(each)  # type: ignore[arg-type]

        await _drain(receiver, settle)


async def take(sdk: ServiceBusClient) -> None:
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with sdk.get_queue_receiver("measured", receive_mode=mode, prefetch_count=200) as receiver:

        async def nothing(_: list[object]) -> None: ...

        await _drain(receiver, nothing)


async def _drain(receiver: ServiceBusReceiver, settle: Callable[[list[object]], Awaitable[None]]) -> None:
    left = MESSAGES
    while left:
        messages = await receiver.receive_messages(min(left, 50), 10)
        await settle(list(messages))
        left -= len(messages)


async def costs() -> None:
    print("| message of 500 bytes | SDK, µs of CPU | broker, µs of CPU | share |\n| --- | ---: | ---: | ---: |")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        async with served(Path(folder)) as (broker, sdk):
            for what, act in (
                ("sent in batches of 100", send_batches),
                ("received and completed", complete),
                ("sent singly", send_singly),
                ("received and deleted", take),
            ):
                cost = await measured(what, broker, act(sdk))
                print(f"| {what} | {cost.client:.0f} | {cost.broker:.0f} | {cost.broker / cost.client:.0%} |")  # noqa: T201


async def memory(count: int) -> None:
    batch = [message.split(message.write(Properties(), {}, BODY)) for _ in range(1_000)]
    with tempfile.TemporaryDirectory() as folder:
        path, process = Path(folder) / "bus.sqlite", psutil.Process()
        async with Broker.open(QUEUES, path, lambda *_: None) as broker:
            before = process.memory_info().rss
            for _ in range(count // len(batch)):
                await broker.namespace["measured"].entity.send(batch)
            grown = process.memory_info().rss - before
    print(f"{count:,} messages waiting: {grown / 1e6:.0f} MB, {grown / count:.0f} bytes each")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.servicebus", description=__doc__)
    parser.add_argument("--serve", type=Path, metavar="DIR", help="be the broker that is measured")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="messages, for the memory")
    chosen = parser.parse_args()
    gc.set_threshold(50_000, 20, 100)  # as the local cloud does
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if chosen.serve:
            return runner.run(serve(chosen.serve))
        runner.run(costs())
        runner.run(memory(chosen.waiting))
    return None


if __name__ == "__main__":
    main()
