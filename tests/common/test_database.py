"""Which engine a URL asks for, and what is said where it can't be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from libs.common.database import engine_of, place_of
from libs.common.settings import Incomplete
from tests.common.test_settings import ENOUGH

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("postgresql://orders@db.example/orders", "postgres"),
        ("postgres://orders@db.example/orders", "postgres"),
        ("mssql://orders@db.example/orders", "azuresql"),
        ("https://account.table.core.windows.net/orders", "tables"),
        ("https://account.table.cosmos.azure.com/orders", "tables"),
    ],
)
def test_the_scheme_says_which(url: str, engine: str) -> None:
    assert engine_of(url) == engine


@pytest.mark.parametrize("url", ["mysql://db.example/orders", "http://account.example/orders", "orders"])
def test_another_scheme_is_told_what_there_is_and_no_secret_is_repeated(url: str) -> None:
    with pytest.raises(Incomplete, match="postgresql://, mssql:// or https://") as refusal:
        engine_of(url)

    assert "example" not in str(refusal.value)


def test_where_it_is_says_nothing_of_who_enters() -> None:
    assert (
        place_of("postgresql://me:word@db.example:5432/orders?sslmode=require") == "postgresql://db.example:5432/orders"
    )
    assert place_of("orders-store-url") == "orders-store-url"


def test_without_its_driver_manager_mssql_is_refused_and_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open shared object file')")
    told = ENOUGH | {
        "STORE_URL": "mssql://me@sql.example/orders",
        "PYTHONPATH": str(tmp_path),
        "PATH": os.environ["PATH"],
    }

    ended = subprocess.run(
        [sys.executable, "-m", "services.orders"], cwd=ROOT, env=told, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "orders can't start: mssql:// needs unixODBC: install the package unixodbc (libodbc.so.2"
    )
