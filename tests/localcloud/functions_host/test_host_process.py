"""The host as the process it is: starts, serves, drains, and says no to a bad app."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import pytest
from aiohttp import ClientSession

from localcloud import functions_keys
from tests import waiting

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]
SAMPLE = Path(__file__).parent / "sample_app"
NOTHING: Mapping[str, str] = {}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    functions_keys.ensure(tmp_path / "keys")
    return tmp_path / "keys"


@asynccontextmanager
async def process(
    app: Path, keys: Path, port: int, *more: str, environ: Mapping[str, str] = NOTHING
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ["--app", str(app), "--port", str(port), "--keys", str(keys), *more]
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "localcloud.functions_host",
        *arguments,
        cwd=ROOT,
        env=os.environ | dict(environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(50):
            yield started
    finally:
        if started.returncode is None:
            started.kill()
        async with asyncio.timeout(30):
            await started.communicate()


def _finish(writer: IO[str]) -> None:
    with writer:
        writer.write("done")


async def until(started: asyncio.subprocess.Process, event: str) -> dict[str, object]:
    """Reads the log up to that line."""
    assert started.stderr
    seen = b""
    async for line in started.stderr:
        seen = line
        if line.startswith(b"{") and (entry := json.loads(line))["event"] == event:
            return dict(entry)
    raise AssertionError(f"the log ended before {event}: {seen.decode()}")


async def until_refused(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
        except OSError:
            return


async def test_sigterm_lets_what_runs_finish_and_takes_nothing_new(keys: Path, tmp_path: Path, free_port: int) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with process(SAMPLE, keys, free_port) as host, ClientSession(f"http://127.0.0.1:{free_port}") as client:
        await until(host, "host.started")
        running = asyncio.create_task(client.get("/api/patient", headers={"x-pipe": str(pipe)}))
        writer = await asyncio.to_thread(pipe.open, "w")  # opens once the function has opened its end

        host.send_signal(signal.SIGTERM)
        await until(host, "host.stopping")
        await until_refused(free_port)
        await asyncio.to_thread(_finish, writer)

        async with await running as response:
            assert (response.status, await response.text()) == (200, "done")
        assert await host.wait() == 0


async def test_the_keys_of_the_folder_open_the_host(keys: Path, free_port: int) -> None:
    async with process(SAMPLE, keys, free_port) as host, ClientSession(f"http://127.0.0.1:{free_port}") as client:
        await until(host, "host.started")
        headers = {"x-functions-key": functions_keys.read(keys / "host.master")}

        async with client.get("/admin/host/status", headers=headers) as response:
            assert (await response.json())["state"] == "Running"
        host.send_signal(signal.SIGINT)
        assert await host.wait() == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import azure.functions as func\n", "must hold one FunctionApp"),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.event_grid_trigger(arg_name='event')\n"
            "@app.service_bus_queue_output(arg_name='out', connection='ServiceBus', queue_name='q')\n"
            "def f(event: func.CloudEvent, out: func.Out[str]) -> None: ...\n",
            "ServiceBus__fullyQualifiedNamespace is not set",
        ),
    ],
)
async def test_a_bad_app_is_refused_with_exit_code_1(
    keys: Path, tmp_path: Path, free_port: int, text: str, reason: str
) -> None:
    (tmp_path / "function_app.py").write_text(text)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')

    async with process(tmp_path, keys, free_port) as host:
        assert reason in str((await until(host, "host.refused"))["reason"])
        assert await host.wait() == 1


async def test_a_port_that_is_taken_is_told_in_one_line(keys: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        async with process(SAMPLE, keys, other.getsockname()[1]) as host:
            assert "Address already in use" in str((await until(host, "host.refused"))["reason"])
            assert await host.wait() == 1


async def test_without_its_keys_the_host_does_not_start(keys: Path, free_port: int) -> None:
    (keys / functions_keys.EVENT_GRID).unlink()

    async with process(SAMPLE, keys, free_port) as host:
        assert functions_keys.EVENT_GRID in str((await until(host, "host.refused"))["reason"])
        assert await host.wait() == 1


APP = """
import os
from pathlib import Path
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("version")
def version(req: func.HttpRequest) -> str:
    return "VERSION"


@app.route("patient")
def patient(req: func.HttpRequest) -> str:
    return "VERSION " + Path(req.headers["x-pipe"]).read_text()
"""
TIMER = """
import asyncio
import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(schedule="0 0 0 * * *", arg_name="timer")
async def nightly(timer: func.TimerRequest) -> None:
    print("past due" if timer.past_due else "on time", flush=True)
    await asyncio.Event().wait()
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(text)
    return folder


async def test_a_change_of_the_app_is_served_a_broken_one_is_not_and_calls_under_way_finish(
    keys: Path, tmp_path: Path, free_port: int
) -> None:
    app, pipe = write(tmp_path / "app", APP.replace("VERSION", "one")), tmp_path / "pipe"
    os.mkfifo(pipe)
    async with (
        process(app, keys, free_port, "--reload") as host,
        ClientSession(f"http://127.0.0.1:{free_port}") as client,
    ):

        async def version() -> str:
            async with client.get("/api/version") as response:
                return await response.text()

        await until(host, "host.started")
        under_way = asyncio.create_task(client.get("/api/patient", headers={"x-pipe": str(pipe)}))
        writer = await asyncio.to_thread(pipe.open, "w")  # opens once the function has opened its end

        write(app, APP + "\nthis is no Python")
        refused = await until(host, "host.refused")
        await until(host, "reload.refused")
        assert "SyntaxError" in str(refused["reason"])
        assert await version() == "one"

        write(app, APP.replace("VERSION", "second"))
        await until(host, "host.started")
        await waiting.until(version, lambda said: said == "second")
        await asyncio.to_thread(_finish, writer)
        async with await under_way as response:
            assert await response.text() == "one done"

        host.send_signal(signal.SIGTERM)
        assert await host.wait() == 0


async def test_a_watched_app_ends_with_the_process_that_watches_it(keys: Path, tmp_path: Path, free_port: int) -> None:
    app = write(tmp_path / "app", APP)
    async with process(app, keys, free_port, "--reload") as host:
        await until(host, "host.started")

        host.kill()

        await until(host, "host.stopping")
        await until_refused(free_port)


async def test_a_watched_app_that_does_not_start_is_refused(keys: Path, tmp_path: Path, free_port: int) -> None:
    async with process(write(tmp_path / "app", "1 / 0"), keys, free_port, "--reload") as host:
        assert "ZeroDivisionError" in str((await until(host, "host.refused"))["reason"])
        assert await host.wait() == 1


async def test_a_timer_that_kill_9_interrupts_is_called_again(keys: Path, tmp_path: Path, free_port: int) -> None:
    app, state = write(tmp_path / "app", TIMER), tmp_path / "state"
    (state / "timers").mkdir(parents=True)
    (state / "timers/nightly.json").write_text(
        '{"Last": "2026-06-01T00:00:00Z", "Next": "2026-06-02T00:00:00Z", "LastUpdated": "2026-06-01T00:00:01Z"}'
    )

    for _ in range(2):
        async with process(app, keys, free_port, "--state", str(state)) as host:
            assert host.stdout
            assert await host.stdout.readline() == b"past due\n"

            host.kill()
