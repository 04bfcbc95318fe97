"""ODBC: the driver, what it is told to connect, and what its errors mean. Imported for `mssql://` only."""

import importlib.util
import platform
import re
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyodbc
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError

from libs.common.errors import StoreError, Unavailable
from libs.common.settings import Incomplete

# Else a uniqueidentifier comes as text. It is the module's own setting, and nothing else in the process uses it.
pyodbc.native_uuid = True
pyodbc.pooling = False  # connections are pooled by us, each with the token that it was opened with

ACCESS_TOKEN = 1256  # SQL_COPT_SS_ACCESS_TOKEN, msodbcsql.h
DATETIMEOFFSET = -155  # SQL_SS_TIMESTAMPOFFSET
LOGIN_SECONDS = 5
ID_BYTES = 16  # of a UUID, which is a binary(16) there
SCOPE = "https://database.windows.net/.default"
DRIVERS = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server")
WHEEL = "mssql_python_odbc"
NO_DRIVER = (
    "mssql:// needs Microsoft's ODBC driver: install msodbcsql18 or the Python package mssql-python-odbc, "
    "or set ODBC_DRIVER to its name or path"
)

# Numbers in Microsoft Learn's "Database engine events and errors" and "Transient connection errors".
UNIQUE = frozenset({2601, 2627})
CONFLICT = 547  # of a foreign key or of a CHECK; the latter is a defect of ours
# Undone, and can be done again at once on the same connection: locks and versions.
UNDONE = frozenset({1204, 1205, 1222, 3960, 3966})
# Undone, and can be done again: a database that is being moved, resumed or is not found yet.
TRANSIENT = frozenset({615, 4060, 4221, 10928, 10929, 40143, 40197, 40540, 40613, 42108, 42109, 49918, 49919, 49920})
# Full disks, files, logs and memory, quotas, "try again in ten seconds", a read-only replica, a session that was ended,
# a login that is refused or not known here yet.
AWAY = frozenset(
    {596, 617, 701, 802, 1101, 1105, 3906, 3935, 4064, 6005, 8645, 8651, 9002, 10922, 17809, 18456, 18487}
    | {40501, 40544, 40549, 40550, 40551, 40552, 40553, 40615}
)
# Where the driver puts it: at the end of each message, not in what a message quotes.
NUMBER = re.compile(r"\((\d+)\)(?= \(SQL|; \[|$)")
CONNECTION_STATES = ("08", "HYT", "IMC", "28000")  # how the SQLSTATE of what has no number begins


class UniqueViolation(StoreError):
    """There is one already."""


class ForeignKeyViolation(StoreError):
    """Something that it refers to is not there, or something refers to it."""


class Transient(Unavailable):
    """The database has undone this transaction; it can be tried again."""


class Undone(Transient):
    """And the connection is as good as before."""


def find_driver(wanted: str) -> str:
    """Raises Incomplete. The order: what was asked for, what is installed, what a wheel has brought."""
    if wanted:
        return wanted
    installed = pyodbc.drivers()
    for name in DRIVERS:
        if name in installed:
            return name
    spec = importlib.util.find_spec(WHEEL)
    folders = spec.submodule_search_locations if spec else None
    libraries = sorted(_libraries(Path(folders[0]))) if folders else []
    if not libraries:
        raise Incomplete(NO_DRIVER)
    return str(libraries[-1])


def _libraries(package: Path) -> list[Path]:
    arm = platform.machine() in ("aarch64", "arm64")
    if sys.platform == "darwin":
        return list(package.glob(f"libs/macos/{'arm64' if arm else 'x86_64'}/**/libmsodbcsql*.dylib"))
    family = "alpine" if platform.libc_ver()[0] != "glibc" else "debian_ubuntu"
    return list(package.glob(f"libs/linux/{family}/{'arm64' if arm else 'x86_64'}/lib/libmsodbcsql-*"))


@dataclass(frozen=True, slots=True)
class Key:
    """What opens a database: where it is, and who may enter how."""

    url: SplitResult
    authentication: str  # password, entra (a token of ours) or msi (the driver fetches one)
    trusting: bool  # whatever certificate the server shows
    password: Callable[[], Awaitable[str]]
    credential: AsyncTokenCredential

    @classmethod
    def of(cls, url: str, password: Callable[[], Awaitable[str]], credential: AsyncTokenCredential) -> "Key":
        """Raises Incomplete."""
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query))
        key = cls(parts, asked.get("authentication", "password"), asked.get("trust") == "yes", password, credential)
        if key.authentication not in ("password", "entra", "msi"):
            raise Incomplete(f"authentication={key.authentication} is unknown: leave it out, or say entra or msi")
        if key.trusting and key.authentication != "password":
            raise Incomplete("a token travels only where the server is verified: leave trust=yes out of the URL")
        return key

    async def told(self, driver: str) -> tuple[str, dict[int, bytes]]:
        """The connection string, and what is told before. Raises Unavailable."""
        user, attributes, secrets = unquote(self.url.username or ""), dict[int, bytes](), dict[str, str]()
        match self.authentication:
            case "entra":
                attributes = _token_attribute(await self._token())
            case "msi":
                secrets = {"Authentication": "ActiveDirectoryMsi", **({"UID": user} if user else {})}
            case _:
                secrets = {"UID": user, "PWD": unquote(self.url.password or "") or await self.password()}
        return self._text(driver, secrets), attributes

    async def _token(self) -> str:
        try:
            return (await self.credential.get_token(SCOPE)).token
        except AzureError as error:
            raise Unavailable("there is no token for the database") from error

    def _text(self, driver: str, secrets: dict[str, str]) -> str:
        """Encrypted always. Values are quoted: a password may hold what separates them."""
        parts = {
            "Driver": driver,
            "Server": f"tcp:{self.url.hostname},{self.url.port or 1433}",
            "Database": unquote(self.url.path.lstrip("/")),
            "Encrypt": "yes",
            "TrustServerCertificate": "yes" if self.trusting else "no",
            "APP": "store",
            "Language": "us_english",  # of errors, whose text says what a conflict is about
            **secrets,
        }
        return ";".join(f"{name}={{{value.replace('}', '}}')}}}" for name, value in parts.items())


def _token_attribute(token: str) -> dict[int, bytes]:
    """As the driver wants it: its length, and UTF-16."""
    raw = token.encode("utf-16-le")
    return {ACCESS_TOKEN: struct.pack(f"<I{len(raw)}s", len(raw), raw)}


def value(given: Any) -> Any:
    """As SQL Server takes it.

    pyodbc drops a datetime's offset, and SQL Server takes what has none for UTC. What type None has the driver would
    ask the server, one more round trip each time: as NULL of a binary it fits every column.
    """
    if given is None:
        return pyodbc.BinaryNull
    return given.astimezone(UTC).replace(tzinfo=None) if isinstance(given, datetime) else given


def size(given: Any) -> tuple[int, int, int] | None:
    """How a parameter is declared, 0 being max. Left to pyodbc, each length would be a type, and a plan, of its own."""
    match given:
        case bytes() if len(given) == ID_BYTES:
            return pyodbc.SQL_BINARY, ID_BYTES, 0
        case str():
            return pyodbc.SQL_WVARCHAR, 4000 if len(given.encode("utf-16-le")) <= 8000 else 0, 0
        case bytes():
            return pyodbc.SQL_VARBINARY, 8000 if len(given) <= 8000 else 0, 0
        case _:
            return None


def datetimeoffset(raw: bytes) -> datetime:
    """SQL_SS_TIMESTAMPOFFSET_STRUCT, which pyodbc does not know."""
    year, month, day, hour, minute, second, nanoseconds, hours, minutes = struct.unpack("<6hI2h", raw)
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone).astimezone(UTC)


def meaning(error: pyodbc.Error) -> StoreError | None:
    """Of an error, in our words; None where it is a defect of ours."""
    state, text = (str(part) for part in (*error.args, "", "")[:2])
    numbers = {int(number) for number in NUMBER.findall(text)}
    if numbers & UNIQUE:
        return UniqueViolation()
    if CONFLICT in numbers and "CHECK constraint" not in text:
        return ForeignKeyViolation()
    if numbers & UNDONE:
        return Undone(f"the database does not answer ({min(numbers & UNDONE)})")
    if numbers & TRANSIENT:
        return Transient(f"the database does not answer ({min(numbers & TRANSIENT)})")
    if numbers & AWAY or state.startswith(CONNECTION_STATES):
        return Unavailable(f"the database does not answer ({state})")
    return None


@contextmanager
def in_our_words() -> Iterator[None]:
    try:
        yield
    except pyodbc.Error as error:
        if said := meaning(error):
            raise said from error
        raise
