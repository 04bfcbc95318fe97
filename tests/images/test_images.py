"""Each image: what is inside, how large it is, and that it runs read-only, as nobody, without a right to anything."""

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from localcloud.program import Program
from localcloud.store import Store
from tests.deploy.image_rules import DOCKERFILES, SERVICES
from tests.images.engine import CONFINED, PYTHON, ROOT, RUN_SECONDS, Engine
from tests.localcloud.programs import free_ports, state_of
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [
    pytest.mark.images,
    pytest.mark.timeout(1200),
    pytest.mark.asyncio(loop_scope="session"),
]

MOST_MEGABYTES = 180  # over the base
STRANGERS = ("pytest", "aiosmtpd", "ruff")
CODE = (
    "services/catalog",
    "services/orders",
    "services/customers",
    "functions",
    "localcloud",
    "tests",
    "bench",
    "docs",
)
INSIDE: Mapping[str, set[str]] = {name: {f"services/{name}"} for name in SERVICES} | {
    "functions": {"functions"},
    "gateway": set(),
    "localcloud": {"localcloud", "functions"},
}
SETTINGS = {
    "CUSTOMERS_URL": "http://customers",
    "ORDERS_URL": "http://orders",
    "CATALOG_URL": "http://catalog",
    "MAIL_URL": "smtp://mail",
    "MAIL_FROM": "Store <store@example.org>",
    "PAYMENTS_URL": "http://payments",
    "PAYMENTS_KEY": "secret",
    "BLOB_ENDPOINT": "https://storage.example",
    "MEDIA_URL": "https://media.example",
}
LOOK = f"""
import json, os
from importlib.metadata import distributions
from importlib.util import cache_from_source
from pathlib import Path
roots = [root for root in ("/app", "/home/site/wwwroot") if os.path.isdir(root)]
print(json.dumps({{
    "code": [each for each in {CODE} if any(os.path.isdir(os.path.join(root, each)) for root in roots)],
    "packages": sorted(each.name.lower() for each in distributions()),
    "uid": [os.getuid(), os.getgid()],
    "uncompiled": [
        path for root in roots for path in map(str, Path(root).rglob("*.py"))
        if not os.path.exists(cache_from_source(path)) and "/.venv/bin/" not in path
    ],
}}))
"""


# Nobody listens there: what matters is who says so.
CONNECT = """
import pyodbc
from libs.common.odbc import Incomplete, find_driver
try:
    pyodbc.connect(f"Driver={{{find_driver('')}}};Server=tcp:127.0.0.1,1;UID=orders;PWD=orders", timeout=2)
except (Incomplete, pyodbc.Error) as error:
    print(*error.args)
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def on_host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStore]:
    """What the services need: `make run` beside the containers, which share its network."""
    with state_of(tmp_path_factory.mktemp("store")) as folder:
        async with RunningStore.start(folder, "postgres") as running:
            yield running


def told(store: RunningStore, name: str) -> tuple[dict[str, str], Path]:
    """A second instance's environment, and the bundle that it trusts, where another account can read it."""
    run = store.run()
    opened = Store.open(store.folder, run.base_port, datetime.now(UTC), run.engines)
    program: Program = next(each for each in opened.workers() if each.name == name)
    bundle = store.folder / f"{name}-bundle.pem"
    shutil.copyfile(opened.certificates.bundle, bundle)
    bundle.chmod(0o644)
    trust = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), "/tmp/bundle.pem")
    return {**program.env, **trust, "PORT": str(free_ports(1))}, bundle


@pytest.mark.parametrize("name", DOCKERFILES)
async def test_an_image_is_small_and_says_what_it_is(
    name: str, images: dict[str, str], engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    below = "docker.io/library/nginx:1.30-alpine" if name == "gateway" else PYTHON
    over = engine.megabytes(images[name]) - engine.megabytes(below)
    labels = json.loads(engine.inspect(images[name], "{{json .Labels}}"))

    with capsys.disabled():
        sys.stdout.write(f"\n{images[name]}: {over:.1f} MB over its base of {engine.megabytes(below):.0f} MB\n")
    assert over < MOST_MEGABYTES
    assert labels["org.opencontainers.image.title"] == f"store/{name}"
    assert labels["org.opencontainers.image.version"][0].isdigit()
    assert engine.inspect(images[name], "{{.User}}") == "10001:10001"
    assert engine.inspect(images[name], "{{.HealthCheck}}") in ("", "<nil>", "<no value>")


@pytest.mark.parametrize("name", DOCKERFILES)
async def test_an_image_holds_its_own_code_and_nobody_elses(name: str, images: dict[str, str], engine: Engine) -> None:
    seen: dict[str, Any] = json.loads(engine.python(images[name], LOOK))

    assert set(seen["code"]) == INSIDE[name]
    assert not set(seen["packages"]) & (set(STRANGERS) - ({"aiosmtpd"} if name == "localcloud" else set()))
    assert seen["uid"] == [10001, 10001]
    assert seen["uncompiled"] == []  # where nothing can be written, each start would compile it again


async def test_the_code_of_another_service_would_be_seen(
    images: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {images['orders']}\nCOPY Dockerfile services/catalog/\n")
    engine.build(tmp_path / "Dockerfile", "store/faulty:dev", context=tmp_path)

    seen = json.loads(engine.python("store/faulty:dev", LOOK))

    assert seen["code"] == ["services/catalog", "services/orders"]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_reads_a_database_of_any_engine(name: str, images: dict[str, str], engine: Engine) -> None:
    """The driver manager is there, too: pyodbc is imported for mssql:// only."""
    script = "import asyncpg, pyodbc, azure.data.tables; print(pyodbc.version)"

    assert engine.python(images[name], script)


async def test_microsofts_driver_is_there_for_those_only_who_ask_for_it(images: dict[str, str], engine: Engine) -> None:
    engine.build(ROOT / DOCKERFILES["orders"], "store/orders:azuresql", "--build-arg=AZURESQL=yes")

    assert "[Microsoft][ODBC Driver 18 for SQL Server]" in engine.python("store/orders:azuresql", CONNECT)
    assert "install msodbcsql18" in engine.python(images["orders"], CONNECT)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_that_is_told_nothing_says_what_it_needs(
    name: str, images: dict[str, str], engine: Engine
) -> None:
    done = engine.attempt("podman", "run", "--rm", "--ulimit=host", "--network=none", images[name])

    assert done.returncode == 1
    assert f"{name} can't start: set STORE_URL, KEY_VAULT" in done.stderr


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_is_ready_and_ends_in_peace(
    name: str, images: dict[str, str], engine: Engine, on_host: RunningStore
) -> None:
    env, bundle = told(on_host, name)
    mount = f"--volume={bundle}:/tmp/bundle.pem:ro"

    with engine.running(images[name], "--network=host", mount, env=env) as container:
        ready = f"http://127.0.0.1:{env['PORT']}/health/ready"
        seen = await until(lambda: asked(ready), lambda status: status in (200, "ended") or ended(engine, container))
        assert seen == 200, engine.attempt("podman", "logs", container).stderr
        status = engine.run("podman", "exec", container, "cat", "/proc/1/status")
        engine.run("podman", "stop", "--time", "28", container)
        code = engine.run("podman", "inspect", container, "--format", "{{.State.ExitCode}}").strip()

    rights = dict(line.split(":\t") for line in status.splitlines() if line.startswith(("Cap", "NoNewPrivs", "Uid")))
    assert rights["CapEff"] == rights["CapBnd"] == "0" * 16
    assert rights["NoNewPrivs"] == "1"
    assert rights["Uid"].split("\t") == ["10001"] * 4
    assert code == "0"


async def asked(url: str) -> int:
    try:
        async with aiohttp.request("GET", url, timeout=aiohttp.ClientTimeout(total=5)) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


def ended(engine: Engine, container: str) -> bool:
    return engine.run("podman", "inspect", container, "--format", "{{.State.Status}}").strip() == "exited"


async def test_a_migration_is_the_same_image_with_one_word(
    images: dict[str, str], engine: Engine, on_host: RunningStore
) -> None:
    env, bundle = told(on_host, "orders")

    how = [
        "--rm",
        "--network=host",
        f"--volume={bundle}:/tmp/bundle.pem:ro",
        *(f"--env={k}={v}" for k, v in env.items()),
    ]

    done = engine.attempt("podman", "run", *CONFINED, *how, images["orders"], "migrate")

    assert done.returncode == 0, done.stderr
    assert "database.migrated" in done.stderr + done.stdout


async def test_the_gateway_lives_before_its_services_do(images: dict[str, str], engine: Engine) -> None:
    """And before the name of the storage can be found."""
    urls = {f"{name.upper()}_URL": "http://127.0.0.1:1" for name in (*SERVICES, "functions")}
    urls["STORAGE_URL"] = "https://media.invalid"
    port = free_ports(1)

    with engine.running(images["gateway"], f"--publish=127.0.0.1:{port}:8080", env=urls) as container:
        live = f"http://127.0.0.1:{port}/health/live"
        seen = await until(lambda: asked(live), lambda status: status == 200 or ended(engine, container))
        assert seen == 200, engine.attempt("podman", "logs", container)
        assert await asked(f"http://127.0.0.1:{port}/api/orders") == 502
        assert await asked(f"http://127.0.0.1:{port}/media/picture") == 502
        assert await asked(f"http://127.0.0.1:{port}/nowhere") == 404
        engine.run("podman", "stop", "--time", "10", container)
        assert engine.run("podman", "inspect", container, "--format", "{{.State.ExitCode}}").strip() == "0"


async def test_the_functions_are_found_where_azures_host_looks(images: dict[str, str], engine: Engine) -> None:
    """On a stand-in for that host's image; the host itself is not there."""
    script = (
        "import function_app; print(*sorted(each.get_function_name() for each in function_app.app.get_functions()))"
    )

    found = await asyncio.wait_for(asyncio.to_thread(engine.python, images["functions"], script, SETTINGS), RUN_SECONDS)

    told = re.findall(r'function_name\("(\w+)"\)', (ROOT / "functions" / "function_app.py").read_text())
    assert len(told) > 1
    assert found.splitlines()[-1].split() == sorted(told)
