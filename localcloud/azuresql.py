"""Azure SQL, or SQL Server, wherever `AZURESQL_URL` says: a database for each service that is on it.

Where several stores share a server, each names its own: of `…:1433/shop` the databases are `shop_catalog` and so on.

Run by itself, `python -m localcloud.azuresql SERVICE …` makes them: the driver would double the launcher.
"""

import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.program import package_folder

VARIABLE = "AZURESQL_URL"
WHEEL = "mssql_python_odbc"
LOGIN_SECONDS = 10
STATEMENT_SECONDS = 120  # a database may take a minute to be made

KNOWN = "SELECT COUNT(*) FROM sys.databases WHERE name = ?"
CREATE = "CREATE DATABASE [{name}]"
# Readers do not wait for writers: what Azure SQL does from the beginning, and SQL Server where it is told to.
IS_VERSIONED = "SELECT is_read_committed_snapshot_on FROM sys.databases WHERE name = ?"
VERSIONED = "ALTER DATABASE [{name}] SET READ_COMMITTED_SNAPSHOT ON"


class Missing(Exception):
    def __str__(self) -> str:
        return (
            f"For azuresql, set {VARIABLE} to a server and to one who may create databases there:"
            " mssql://user:password@host:1433 (with ?trust=yes where its certificate is of its own making)."
            " A path of letters, digits and underscores names the store, where several share the server."
        )


def server(environment: Mapping[str, str]) -> str:
    """The URL of the server, with a password. Raises Missing."""
    url = environment.get(VARIABLE, "")
    parts = urlsplit(url)
    named = re.fullmatch(r"/?|/\w{1,60}/?", parts.path, re.ASCII)
    if parts.scheme != "mssql" or not (parts.hostname and parts.username and parts.password and named):
        raise Missing
    return url


def password(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def database_of(url: str, service: str) -> str:
    store = urlsplit(url).path.strip("/")
    return f"{store}_{service}" if store else service


def with_database(url: str, service: str) -> str:
    return urlsplit(url)._replace(path=f"/{database_of(url, service)}").geturl()


def without_password(url: str, service: str) -> str:
    parts = urlsplit(url)
    place = f"{parts.username}@{_place(url)}"
    return parts._replace(netloc=place, path=f"/{database_of(url, service)}").geturl()


def connect(url: str, database: str) -> Any:
    """A connection of pyodbc's, each statement a transaction. Raises ImportError or pyodbc.Error."""
    import pyodbc

    parts = urlsplit(url)
    said = {
        "Driver": _driver(pyodbc.drivers()),
        "Server": f"tcp:{_place(url).replace(':', ',')}",
        "Database": database,
        "UID": unquote(parts.username or ""),
        "PWD": password(url),
        "Encrypt": "yes",
        "TrustServerCertificate": "yes" if parse_qs(parts.query).get("trust") == ["yes"] else "no",
    }
    text = ";".join(f"{name}={{{value.replace('}', '}}')}}}" for name, value in said.items())
    connection = pyodbc.connect(text, autocommit=True, timeout=LOGIN_SECONDS)
    connection.timeout = STATEMENT_SECONDS
    return connection


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 1433}"


def _driver(installed: list[str]) -> str:
    """Microsoft's, installed or in a wheel."""
    if found := sorted(name for name in installed if name.startswith("ODBC Driver ")):
        return found[-1]
    arm, folder = platform.machine() in ("aarch64", "arm64"), package_folder(WHEEL)
    system = "macos" if sys.platform == "darwin" else "linux/debian_ubuntu"
    pattern = f"libs/{system}/{'arm64' if arm else 'x86_64'}/**/libmsodbcsql*"
    return str(max(folder.glob(pattern), default="")) if folder else ""


def make(url: str, services: list[str]) -> None:
    """What is there stays as it is."""
    with closing(connect(url, "master")) as connection:
        for name in (database_of(url, service) for service in services):
            if not connection.execute(KNOWN, name).fetchval():
                connection.execute(CREATE.format(name=name))
            if not connection.execute(IS_VERSIONED, name).fetchval():
                connection.execute(VERSIONED.format(name=name))


def main(services: list[str]) -> str | None:
    """What went wrong, if anything did."""
    try:
        import pyodbc
    except ImportError as missing:  # pyodbc brings its driver manager on no Linux
        return f"azuresql needs unixODBC: install the package unixodbc ({missing})."
    try:
        make(server(os.environ), services)
    except pyodbc.Error as error:
        return f"The databases could not be made: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
