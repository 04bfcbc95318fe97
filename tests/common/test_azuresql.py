"""Azure SQL's manners: who is let in, what its errors mean, and what is done again."""

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("pyodbc", reason="unixODBC is missing", exc_type=ImportError)
import pyodbc
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError

from libs.common import odbc
from libs.common.azuresql import MOST_TRIES, AzureSql, Transaction
from libs.common.errors import Conflict, StoreError, Unavailable
from libs.common.odbc import ForeignKeyViolation, Key, Transient, Undone, UniqueViolation
from libs.common.settings import Incomplete
from tests.engines import Engine
from tests.engines.credential import NoCredential, no_secret
from tests.engines.wire import Wire

SAID = "[{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{text} ({number}) (SQLExecDirectW)"


def error(state: str, number: int, text: str = "Something is wrong.") -> Any:
    return pyodbc.Error(state, SAID.format(state=state, text=text, number=number))


@pytest.mark.parametrize(
    ("raised", "meaning"),
    [
        (error("23000", 2627), UniqueViolation),
        (error("23000", 2601), UniqueViolation),
        (
            error("23000", 547, 'The INSERT statement conflicted with the FOREIGN KEY constraint "x".'),
            ForeignKeyViolation,
        ),
        (error("40001", 1205), Undone),
        (error("42000", 1222), Undone),
        (error("HY000", 40613), Transient),
        (error("HY000", 40197), Transient),
        (error("HY000", 40501), Unavailable),
        (error("42000", 1105), Unavailable),
        (error("42000", 9002), Unavailable),
        (error("28000", 18456), Unavailable),
        (error("08S01", 0), Unavailable),
        (error("HYT00", 0), Unavailable),
    ],
)
def test_an_error_of_the_server_is_one_of_ours(raised: Any, meaning: type[StoreError]) -> None:
    assert type(odbc.meaning(raised)) is meaning


@pytest.mark.parametrize(
    "raised",
    [
        error("42S02", 208),
        error("23000", 547, 'The INSERT statement conflicted with the CHECK constraint "x".'),
        error("22001", 2628, "String or binary data would be truncated. Truncated value: 'price (1205) x'."),
    ],
)
def test_a_defect_of_ours_stays_one(raised: Any) -> None:
    assert odbc.meaning(raised) is None


async def test_a_password_may_hold_what_separates_settings() -> None:
    text, attributes = await Key.of("mssql://me%40x:a%3Bb%7Dc@sql.example/orders", no_secret, NoCredential()).told("D")

    assert "PWD={a;b}}c}" in text
    assert "UID={me@x}" in text
    assert "Encrypt={yes};TrustServerCertificate={no}" in text
    assert attributes == {}


class Tokens(NoCredential):
    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        if not self.tokens:
            raise ServiceRequestError("nobody answers")
        return AccessToken(self.tokens.pop(0), 2**31)


async def test_with_entra_each_connection_is_told_a_token_of_its_own() -> None:
    key = Key.of("mssql://sql.example/orders?authentication=entra", no_secret, Tokens("one", "two"))

    for token in ("one", "two"):
        text, attributes = await key.told("D")
        raw = token.encode("utf-16-le")
        assert attributes == {1256: struct.pack("<I", len(raw)) + raw}
        assert token not in text
    with pytest.raises(Unavailable, match="no token"):
        await key.told("D")


async def test_with_msi_the_driver_fetches_the_token_itself() -> None:
    url = "mssql://client-id@sql.example/orders?authentication=msi"

    text, attributes = await Key.of(url, no_secret, NoCredential()).told("D")

    assert "Authentication={ActiveDirectoryMsi};UID={client-id}" in text
    assert attributes == {}


@pytest.mark.parametrize(
    "query", ["authentication=entra&trust=yes", "authentication=msi&trust=yes", "authentication=magic"]
)
def test_what_would_be_unsafe_or_is_unknown_is_refused(query: str) -> None:
    with pytest.raises(Incomplete):
        Key.of(f"mssql://sql.example/orders?{query}", no_secret, NoCredential())


def test_the_driver_is_the_one_that_is_asked_for() -> None:
    assert odbc.find_driver("/opt/driver.so") == "/opt/driver.so"


# --- on the peer -----------------------------------------------------------------------------------------------------


def rows_of(tx: Transaction) -> list[str]:
    return [row.cause for row in tx.fetch("SELECT cause FROM inbox ORDER BY cause")]


@pytest.mark.real
async def test_what_the_database_has_undone_is_done_again_on_the_same_connection(azuresql: Engine) -> None:
    tries = list[int]()

    def work(tx: Transaction) -> None:
        tries.append(1)
        tx.execute("INSERT INTO inbox (cause) VALUES (?)", "once")
        if len(tries) < MOST_TRIES:
            raise Undone

    async with azuresql.database() as database:
        assert isinstance(database, AzureSql)
        await database.migrate("none", "")
        await database.transact(work)

        assert (len(tries), await database.transact(rows_of)) == (MOST_TRIES, ["once"])
        assert len(database.pool._idle) == 1  # none was thrown away


@pytest.mark.real
async def test_what_is_undone_too_often_is_not_done(azuresql: Engine) -> None:
    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO inbox (cause) VALUES (?)", "never")
        raise Undone

    async with azuresql.database() as database:
        assert isinstance(database, AzureSql)
        await database.migrate("none", "")
        with pytest.raises(Undone):
            await database.transact(work)

        assert await database.transact(rows_of) == []


@pytest.mark.real
async def test_a_refusal_whose_rollback_is_lost_leaves_nothing_for_the_next_transaction(azuresql: Engine) -> None:
    def refused(tx: Transaction) -> None:
        tx.execute("INSERT INTO inbox (cause) VALUES (?)", "refused")
        wire.cut_at(1, answer_lost=False)  # the next that is said is the rollback
        raise Conflict

    async with azuresql.fresh() as url, azuresql.connect(url) as direct, Wire.before(url) as (wire, through):
        await direct.migrate("none", "")
        async with azuresql.connect(through) as database:
            assert isinstance(database, AzureSql)
            with pytest.raises(Unavailable):
                await database.transact(refused)
            wire.heal()

            await database.transact(lambda tx: tx.execute("INSERT INTO inbox (cause) VALUES (?)", "next"))
            assert await database.transact(rows_of) == ["next"]


@pytest.mark.real
async def test_whoever_is_cancelled_leaves_the_connection_as_it_was(azuresql: Engine) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(tx: Transaction) -> None:
        tx.execute("INSERT INTO inbox (cause) VALUES (?)", "slow")
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)

    async with azuresql.database() as database:
        assert isinstance(database, AzureSql)
        await database.migrate("none", "")
        working = asyncio.create_task(database.transact(slow))
        await began.wait()
        working.cancel()
        loop.call_soon(go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await working

        await database.transact(lambda tx: tx.execute("INSERT INTO inbox (cause) VALUES (?)", "next"))
        assert "next" in await database.transact(rows_of)


@pytest.mark.real
async def test_a_moment_comes_back_to_the_microsecond(azuresql: Engine) -> None:
    at = datetime(2026, 1, 1, 1, 1, 1, 123456, tzinfo=UTC)

    async with azuresql.fresh() as url, azuresql.connect(url) as direct:
        database: Any = direct
        (row,) = await database.fetch("SELECT CAST(? AS datetimeoffset(6)) AS at", at)

    assert row.at == at
