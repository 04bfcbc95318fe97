"""The peer's sessions: a login, then batches and prepared statements, each answered by PostgreSQL."""

import logging
import re
import socketserver
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
from pysqlbridge.certificate import Certificate
from pysqlbridge.tds import (
    Connection,
    DoneStatus,
    Encryption,
    PacketType,
    TransactionRequest,
    TransactionRequestType,
    parse_sql_batch,
    parse_transaction_request,
    skip_all_headers,
)
from pysqlbridge.tds import done as done_token
from pysqlbridge.tds import error as error_token

from tests.engines.tds import wire
from tests.engines.tds.dialect import Statement, translate
from tests.engines.tds.wire import Column, Reader, Value

log = logging.getLogger(__name__)

EXECUTE_SQL, PREPARE, EXECUTE, PREP_EXEC, UNPREPARE = 10, 11, 12, 13, 15
NUMBERS = {"23505": 2627, "23503": 547, "23502": 515, "40P01": 1205, "42P01": 208, "55P03": 1222}
TYPE_INFO, TIMESTAMP = "[sys].sp_datatype_info_100", 93
DATETIME2 = """
SELECT 'datetime2' AS "TYPE_NAME", 93::smallint AS "DATA_TYPE", 27 AS "PRECISION", '''' AS "LITERAL_PREFIX",
       '''' AS "LITERAL_SUFFIX", 'scale' AS "CREATE_PARAMS", 1::smallint AS "NULLABLE"
"""
UNKNOWN = 50000
STATEMENT_MILLISECONDS = 20_000
READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Logins:
    """Who may enter."""

    user: str
    word: str
    configured: bool = True

    def admits(self, user: str, password: str) -> bool:
        return (user, password) == (self.user, self.word)


class Session(Connection):  # type: ignore[misc]
    def __init__(self, certificate: Certificate, logins: Logins, postgres: str) -> None:
        super().__init__(certificate, encryption=Encryption.ON, logins=logins, server_name="peer")
        self._postgres = postgres  # a URL; the database is the one that the client asks for
        self._behind: psycopg.Connection[Any] | None = None
        self._prepared: dict[int, str] = {}
        self._handles = 0

    def close(self) -> None:
        if self._behind:
            self._behind.close()

    def _step_query(self, responses: list[bytes]) -> bool:
        message = self._take_message()
        if message is None:
            return False
        match message.type:
            case PacketType.ATTENTION:
                answer = done_token(status=DoneStatus.FINAL | DoneStatus.ATTENTION)
            case PacketType.SQL_BATCH:
                answer = self._guarded(lambda: self._batch(parse_sql_batch(message.payload)))
            case PacketType.RPC:
                answer = self._guarded(lambda: self._call(Reader(message.payload, skip_all_headers(message.payload))))
            case PacketType.TRANSACTION_MANAGER:
                answer = self._guarded(lambda: self._end(parse_transaction_request(message.payload)))
            case _:
                raise ValueError(f"a message of type {message.type}")
        self._send(responses, answer)
        return True

    def _end(self, request: TransactionRequest) -> bytes:
        """Or the beginning of a transaction."""
        match request.kind:
            case TransactionRequestType.BEGIN_XACT:
                self._connected().execute("BEGIN")
            case TransactionRequestType.COMMIT_XACT:
                self._connected().commit()
            case TransactionRequestType.ROLLBACK_XACT:
                self._connected().rollback()
        return bytes(self._transaction_envchange(request) + done_token())

    def _guarded(self, work: Any) -> bytes:
        """An error ends the transaction, as XACT_ABORT has it."""
        try:
            return bytes(work())
        except psycopg.OperationalError as error:
            if self._behind is None or self._behind.closed:
                raise
            return self._failed(error.sqlstate, error)
        except psycopg.Error as error:
            return self._failed(error.sqlstate, error)
        except ValueError as error:
            log.exception("not understood")
            return self._failed(None, error)

    def _failed(self, state: str | None, error: Exception) -> bytes:
        if self._behind:
            self._behind.rollback()
        return _error(NUMBERS.get(state or "", UNKNOWN), str(error))

    def _batch(self, sql: str) -> bytes:
        return self._results(sql, {}, wire.DONE)

    def _call(self, call: Reader) -> bytes:  # noqa: PLR0911
        procedure = call.procedure()
        given = list[Value]()
        while not call.done():
            given.append(call.parameter())
        match procedure:
            case n if n == EXECUTE_SQL:
                return self._run(str(given[0].given), given[2:], None)
            case n if n == PREP_EXEC:
                return self._run(str(given[2].given), given[3:], self._keep(str(given[2].given)))
            case n if n == PREPARE:
                return wire.returned(self._keep(str(given[2].given))) + wire.done(wire.DONE_PROC, None, more=False)
            case n if n == EXECUTE:
                return self._run(self._prepared[given[0].given], given[1:], None)
            case n if n == UNPREPARE:
                self._prepared.pop(given[0].given, None)
                return wire.returned(None) + wire.done(wire.DONE_PROC, None, more=False)
            case n if n == TYPE_INFO and given[0].given == TIMESTAMP:
                return self._type_info()
        # The driver asks for the types of parameters that are NULL, and does without; no transaction ends by that.
        return _error(UNKNOWN, f"the procedure {procedure} is not here")

    def _type_info(self) -> bytes:
        """How precise a time may be: without it, the driver's caller leaves the fractions of a second out."""
        with self._connected().cursor() as cursor:
            cursor.execute(DATETIME2)
            columns = [Column(each.name, each.type_code) for each in cursor.description or ()]
            shown = wire.rows(columns, cursor.fetchall())
        return (
            shown
            + wire.done(wire.DONE_IN_PROC, 1, more=True, selected=True)
            + wire.done(wire.DONE_PROC, None, more=False)
        )

    def _keep(self, sql: str) -> int:
        self._handles += 1
        self._prepared[self._handles] = sql
        return self._handles

    def _run(self, sql: str, values: Sequence[Value], handle: int | None) -> bytes:
        given = {f"P{number}": value for number, value in enumerate(values, start=1)}
        results = self._results(sql, given, wire.DONE_IN_PROC, more=True)
        return results + wire.returned(handle) + wire.done(wire.DONE_PROC, None, more=False)

    def _results(self, sql: str, given: Mapping[str, Value], kind: int, *, more: bool = False) -> bytes:
        silent = "SET NOCOUNT ON" in sql
        statements = translate(sql)
        answers = [answer for each in statements if (answer := self._answer(each, given, silent)) is not None]
        tokens = [
            shown + wire.done(kind, count, more=more or number < len(answers), selected=bool(shown))
            for number, (shown, count) in enumerate(answers, start=1)
        ]
        return b"".join(tokens) or wire.done(kind, None, more=more)

    def _answer(
        self, statement: Statement, given: Mapping[str, Value], silent: bool
    ) -> tuple[bytes, int | None] | None:
        """The rows, and how many were found or changed. None: nothing is said of it."""
        behind = self._connected()
        if statement.commits:
            behind.commit()
            return b"", None
        if statement.rolls_back:
            behind.rollback()
            return b"", None
        sql, values = _bound(statement.sql, given)
        with behind.cursor() as cursor:
            cursor.execute(sql.encode(), values)
            if cursor.description is None:
                return None if silent else (b"", cursor.rowcount if cursor.rowcount >= 0 else None)
            if "hashtext" in statement.sql:  # the lock that HOLDLOCK has become
                return None
            columns = [Column(each.name, each.type_code) for each in cursor.description]
            found = cursor.fetchall()
        return wire.rows(columns, found), None if silent else len(found)

    def _connected(self) -> "psycopg.Connection[Any]":
        if self._behind is None:
            asked = self._login.database if self._login else ""
            url = (
                urlsplit(self._postgres)._replace(path=f"/{'postgres' if asked in ('', 'master') else asked}").geturl()
            )
            options = f"-c statement_timeout={STATEMENT_MILLISECONDS}"
            self._behind = psycopg.connect(url, autocommit=True, options=options, connect_timeout=5)
        return self._behind


def _error(number: int, text: str) -> bytes:
    return bytes(error_token(number, text, server="peer") + done_token(status=DoneStatus.ERROR))


def _bound(sql: str, given: Mapping[str, Value]) -> tuple[str, dict[str, Any]]:
    """Every parameter with its type, for PostgreSQL infers less than SQL Server."""
    used = dict[str, Any]()

    def typed(match: re.Match[str]) -> str:
        value = given[match[1]]
        if value.given is None:
            return "NULL"
        used[match[1]] = value.given
        return f"CAST(%({match[1]})s AS {value.like})"

    return re.sub(r"@(P\d+)\b", typed, sql.replace("%", "%%")), used


class Door(socketserver.ThreadingTCPServer):
    """A thread for each connection; all end with the process."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, certificate: Certificate, logins: Logins, postgres: str) -> None:
        super().__init__(("127.0.0.1", port), Visit)
        self._told = (certificate, logins, postgres)

    def new_session(self) -> Session:
        return Session(*self._told)


class Visit(socketserver.BaseRequestHandler):
    server: Door

    def handle(self) -> None:
        session = self.server.new_session()
        try:
            with suppress(ConnectionError, psycopg.OperationalError):
                while data := self.request.recv(READ_BYTES):
                    for answer in session.receive(data):
                        self.request.sendall(answer)
        finally:
            session.close()
