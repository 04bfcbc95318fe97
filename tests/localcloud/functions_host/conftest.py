"""The host of a sample app, on a free port."""

import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from localcloud import certificates
from localcloud.access import Issuer
from localcloud.functions_host import host_json, indexing
from localcloud.functions_host.host import Host
from localcloud.functions_host.keys import Keys
from localcloud.functions_host.timer_trigger import WallClock
from tests.localcloud.functions_host.queues import Cloud

SAMPLE = Path(__file__).parent / "sample_app"
KEYS = Keys(
    master="master-key",
    host={"default": "function-key"},
    system={"eventgrid_extension": "grid-key", "blobs_extension": "blobs-key"},
    functions={"echo": {"default": "echo-key"}},
)

NOTHING: Mapping[str, str] = {}

Serve = Callable[..., AbstractAsyncContextManager[ClientSession]]


def no_credential() -> Any:
    raise AssertionError("no binding needs a credential")


def host(folder: Path, environ: Mapping[str, str]) -> Host:
    return Host(
        functions=indexing.load(folder, environ),
        options=host_json.read(folder),
        keys=KEYS,
        environ=environ,
        credential=no_credential,
        clock=WallClock(),
        chance=random.Random(1),
        new_id=uuid4,
    )


@asynccontextmanager
async def _serve(
    folder: Path = SAMPLE, *, environ: Mapping[str, str] = NOTHING, **changes: Any
) -> AsyncIterator[ClientSession]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with (
            replace(host(folder, environ), **changes).serve(listening),
            ClientSession(url, headers={"x-functions-key": "function-key"}) as client,
        ):
            yield client


@pytest.fixture
def serve() -> Serve:
    """`async with serve() as client`: the sample app's host, or another's, with parts of it changed."""
    return _serve


@pytest.fixture
def cloud(tmp_path: Path, issuer: Issuer, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The queue app's; `replace` makes it another's."""
    made = certificates.ensure(tmp_path / "certificates", datetime.now(UTC))
    monkeypatch.setenv("SSL_CERT_FILE", str(made.bundle))  # what `ssl.create_default_context` trusts
    return Cloud(tmp_path, made, issuer, serve)


@pytest.fixture
def free_port() -> int:
    """For a process of its own, which cannot tell the port that it was given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
