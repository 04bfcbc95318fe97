"""Another PostgreSQL than the one that comes with the store: the machine's own, which is older and speaks TLS."""

import pwd
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from localcloud import certificates, postgres
from localcloud.certificates import Certificates
from localcloud.postgres import Cluster
from tests.localcloud.programs import free_ports, running, state_of

HOW_TO = (
    "the machine has no PostgreSQL of its own: install one (apt install postgresql), and it is tested, too, over TLS"
)


@dataclass(frozen=True, slots=True)
class Oldest:
    url: str  # the superuser's, without TLS
    certificates: Certificates  # the server shows the one for 127.0.0.1


def why_not() -> str:
    """Empty where there is one."""
    return "" if postgres.installed() else HOW_TO


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def oldest_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Oldest]:
    if reason := why_not():
        pytest.skip(reason)
    with state_of(tmp_path_factory.mktemp("oldest")) as state:
        cluster = Cluster.open(state, free_ports(1), reversed(postgres.installed()))
        files = certificates.ensure(state / "certificates", datetime.now(UTC))
        program = cluster.program()
        shown = {
            "ssl": "on",
            "ssl_cert_file": _given(files.server, cluster.folder, cluster.account),
            "ssl_key_file": _given(files.key, cluster.folder, cluster.account),
        }
        program = replace(program, argv=[*program.argv, *(f"--{name}={value}" for name, value in shown.items())])
        async with running(program, state / "log"):
            yield Oldest(cluster.url, files)


@pytest.fixture(scope="session")
def oldest_url(oldest_postgres: Oldest) -> str:
    return oldest_postgres.url


def _given(file: Path, folder: Path, account: pwd.struct_passwd | None) -> str:
    """A copy that nobody else may read."""
    copy = Path(shutil.copy(file, folder))
    copy.chmod(0o600)
    if account:
        shutil.chown(copy, account.pw_uid, account.pw_gid)
    return str(copy)
