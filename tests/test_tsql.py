"""T-SQL that no SQL Server has seen here: read by two parsers, and guarded against what they let pass.

sqlglot takes much that T-SQL does not have; the guard knows what one slips into by habit. Definitions and procedure
calls, which it only passes on, are read by sqlfluff. That SQL Server takes a statement is proved by neither.
"""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import sqlglot
from sqlfluff.core import Linter
from sqlglot import exp
from sqlglot.errors import SqlglotError

from libs.common.azuresql_rows import insertion, selection
from services.catalog import store as catalog
from services.catalog.store import Position, Sort, Wanted
from services.catalog.store.azuresql_list import counting, listing
from services.customers import store as customers
from services.orders import store as orders

ROOT = Path(__file__).parents[1]
MODULES = sorted([*ROOT.glob("services/*/store/*azuresql*.py"), *ROOT.glob("libs/common/azuresql*.py")])
DEFINITIONS = sorted([*ROOT.glob("services/*/store/*.sql"), *ROOT.glob("libs/common/*.sql")])
PROCEDURES = re.compile(r"\s*(DECLARE|EXEC|IF) ")
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|SET NOCOUNT) ")

KNOWN = (
    exp.And,
    exp.Or,
    exp.Exists,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.Convert,
    exp.Count,
    exp.Max,
    exp.Min,
    exp.DateAdd,
    exp.Lower,
    exp.Sum,
    exp.Collate,
)
KNOWN_BY_NAME = {"OBJECT_ID", "OPENJSON", "SYSUTCDATETIME"}
WORDS_OF_OTHERS = re.compile(
    r"::|\b(LIMIT|RETURNING|ILIKE|CONFLICT|EXCLUDED|UNNEST|LATERAL|JSONB|BYTEA|TIMESTAMPTZ|BOOLEAN|SERIAL|NOW|TRUE|FALSE)\b"
    r"|FOR UPDATE|SKIP LOCKED|\$\d",
    re.IGNORECASE,
)
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


def complaints(sql: str) -> list[str]:
    """What SQL Server would not understand; empty where nothing is known against it."""
    found = [f"{word[0]} is not T-SQL" for word in WORDS_OF_OTHERS.finditer(sql)]
    try:
        trees = sqlglot.parse(sql, read="tsql")
    except SqlglotError as error:
        return [*found, str(error)]
    for node in (node for tree in trees if tree for node in tree.walk()):
        if isinstance(node, exp.Command) and not node.name.upper().startswith(("SET", "NOCOUNT")):
            found.append(f"not understood: {node}")
        if isinstance(node, COMPARISONS) and isinstance(node.this, exp.Tuple):
            found.append(f"rows can't be compared: {node}")
        if isinstance(node, exp.Func) and not isinstance(node, KNOWN) and _name(node) not in KNOWN_BY_NAME:
            found.append(f"an unknown function: {node}")
    return found


def _name(function: exp.Func) -> str:
    return function.sql("tsql").partition("(")[0].upper()


def statements() -> Iterator[tuple[str, str]]:
    """Those that stand as they are. What is put together of constant texts is in `lists` and `archives`."""
    for module in MODULES:
        nodes = list(ast.walk(ast.parse(module.read_text())))
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        texts = (node for node in nodes if isinstance(node, ast.Constant) and id(node) not in parts)
        for node in texts:
            if isinstance(node.value, str) and STATEMENT.match(node.value):
                yield f"{module.relative_to(ROOT)}:{node.lineno}", node.value


def lists() -> Iterator[tuple[str, str]]:
    """Every statement that a list of products can be."""
    everything = Wanted(UUID(int=1), ["a", "b"], 1, 2, True, "draft", ["=color=red", "=dim=true"])
    for sort, wanted, begun in itertools.product(Sort, (Wanted(), everything), (False, True)):
        after = Position(sort, "a", UUID(int=1)) if begun else None
        yield f"{sort} {'filtered' if wanted == everything else 'all'} {begun}", listing(wanted, sort, after, 20)[0]
    for wanted in (Wanted(), everything):
        yield f"counts {'filtered' if wanted == everything else 'all'}", counting(wanted)[0]


def archives() -> Iterator[tuple[str, str]]:
    """Every statement that reads or writes a row of any service, to be moved."""
    some = {UUID: str(UUID(int=1)), int: 1, str: "a", bytes: "YQ=="}
    for kind in dict.fromkeys((*catalog.ROWS, *orders.ROWS, *customers.ROWS)):
        reached = json.dumps([some[kind.columns()[name]] for name in kind.sorted_by])
        yield f"the first of {kind.table}", selection(kind, "")[0]
        yield f"more of {kind.table}", selection(kind, reached)[0]
        yield f"into {kind.table}", insertion(kind)


def named(cases: Iterator[tuple[str, str]]) -> list[object]:
    return [pytest.param(sql, id=name) for name, sql in cases]


@pytest.mark.parametrize("sql", named(itertools.chain(statements(), lists(), archives())))
def test_every_statement_is_tsql(sql: str) -> None:
    assert complaints(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM orders LIMIT 5",
        "SELECT * FROM orders WHERE (a, b) > (1, 2)",
        "SELECT * FROM orders WHERE name ILIKE 'a%'",
        "SELECT id::text FROM orders",
        "SELECT now()",
        "INSERT INTO orders (id) VALUES (1) RETURNING id",
        "INSERT INTO orders (id) VALUES (1) ON CONFLICT DO NOTHING",
        "SELECT * FROM orders WHERE listed IS TRUE",
        "SELECT * FROM orders FOR UPDATE SKIP LOCKED",
        "SELECT * FROM unnest(?)",
        "SELECT jsonb_agg(id) FROM orders",
        "SELECT gen_random_uuid()",
        "SELECT * FORM orders WHERE",
        "UPDATE orders SET id = $1",
    ],
)
def test_the_guard_sees_what_is_not(sql: str) -> None:
    assert complaints(sql) != []


@pytest.mark.parametrize(
    "path", [path for path in DEFINITIONS if "azuresql" in path.name], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_definition_is_tsql(path: Path) -> None:
    assert unparsable(path.read_text()) == []


def test_every_procedure_call_is_tsql() -> None:
    calls = [
        node.value
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and PROCEDURES.match(node.value)
    ]

    assert len(calls) >= 3
    assert [complaint for call in calls for complaint in unparsable(call)] == []


def test_postgresqls_definitions_are_not_taken_for_tsql() -> None:
    assert unparsable((ROOT / "libs/common/postgres.sql").read_text()) != []


def unparsable(sql: str) -> list[str]:
    parsed = Linter(dialect="tsql", rules=["LT01"]).parse_string(sql)
    return [str(violation) for violation in parsed.violations]
