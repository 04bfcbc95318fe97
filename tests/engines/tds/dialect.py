"""T-SQL to PostgreSQL, as far as the store speaks it; what is not understood is an error."""

import re
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp

# What is no statement to sqlglot, or another one.
SESSION = re.compile(
    r"\s*SET\s+(NOCOUNT|XACT_ABORT|IMPLICIT_TRANSACTIONS|TRANSACTION|TEXTSIZE|QUOTED|ANSI|CONCAT)", re.I
)
COMMIT = re.compile(r"\s*(IF\s+@@TRANCOUNT\s*>\s*0\s+)?COMMIT", re.I)
ROLLBACK = re.compile(r"\s*(IF\s+@@TRANCOUNT\s*>\s*0\s+)?ROLLBACK", re.I)
LOCK = re.compile(r"sp_getapplock\b.*@Resource\s*=\s*N'(?P<name>\w+)'.*@LockOwner\s*=\s*N'(?P<owner>\w+)'", re.I | re.S)
UNLESS_THERE = re.compile(r"\s*IF OBJECT_ID\(N'\w+', N'U'\) IS NULL\s+(?P<then>CREATE TABLE )(?P<rest>.*)", re.I | re.S)
OBJECT_ID = re.compile(r"OBJECT_ID\(N'(?P<name>\w+)', N'U'\)", re.I)
DATABASES = re.compile(r"\bsys\.databases\b", re.I)
ALL_DATABASES = "(SELECT datname AS name, 1 AS is_read_committed_snapshot_on FROM pg_database) AS databases"
DEFINITION = re.compile(r"\s*(--[^\n]*\n\s*)*(CREATE|ALTER TABLE) ", re.I)
DELETE_TOP = re.compile(r"\s*DELETE TOP \((?P<most>@P\d+)\) FROM (?P<table>\w+)\s+WHERE (?P<where>.*)", re.I | re.S)

# In the order in which they are replaced, in the text of a definition.
TYPES = {
    r"\bn?varchar\(max\)|\bnvarchar\(\d+\)": "text",
    r"\b(var)?binary\((\d+|max)\)": "bytea",
    r"\bdatetimeoffset\(\d\)": "timestamptz",
    r"\bbit\b": "smallint",  # comes back as a bit: nothing else is so small
    r"\bIDENTITY\b": "GENERATED ALWAYS AS IDENTITY",
    r"\s+COLLATE \w+": "",
    r"\bISJSON\((\w+)\) = 1": r"\1 IS JSON",
    r"\bSYSUTCDATETIME\(\)": "now()",
    r"\[(\w+)\]": r'"\1"',
    r"(\w+) AS CAST\((.*) AS (text|varchar\(\d+\))\) PERSISTED": r"\1 \3 GENERATED ALWAYS AS (\2) STORED",
}


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str  # with parameters like @P1
    commits: bool = False
    rolls_back: bool = False


@lru_cache(maxsize=1000)
def translate(batch: str) -> list[Statement]:
    """What PostgreSQL is to run for it, one after the other; of several, the last that returns rows answers."""
    if special := _special(batch):
        return [special]
    named = OBJECT_ID.sub(r"CAST(to_regclass('\g<name>') AS text)", batch)
    named = DATABASES.sub(ALL_DATABASES, named)
    trees = sqlglot.parse("\n".join(line for line in named.splitlines() if not SESSION.match(line)), read="tsql")
    return [statement for tree in trees if tree for statement in _statements(tree)]


def _special(batch: str) -> Statement | None:
    """What sqlglot does not know, or takes for something else."""
    if COMMIT.match(batch) or ROLLBACK.match(batch):
        return Statement("", commits=bool(COMMIT.match(batch)), rolls_back=bool(ROLLBACK.match(batch)))
    if lock := LOCK.search(batch):
        return Statement(_lock(lock["name"], lock["owner"]))
    if some := DELETE_TOP.match(batch):
        return Statement(_delete_some(some["table"], some["most"], some["where"]))
    if there := UNLESS_THERE.match(batch):
        return Statement(_definition(f"CREATE TABLE IF NOT EXISTS {there['rest']}"))
    return Statement(_definition(batch)) if DEFINITION.match(batch) else None


def _lock(name: str, owner: str) -> str:
    number = sum(name.encode())
    if owner.lower() == "session":
        return f"SELECT CASE WHEN pg_try_advisory_lock({number}) THEN 0 ELSE -1 END AS granted"
    return f"SELECT 0 AS granted FROM (SELECT pg_advisory_xact_lock({number})) AS locked"


def _delete_some(table: str, most: str, where: str) -> str:
    chosen = _rendered(sqlglot.parse_one(f"SELECT * FROM {table} WHERE {where}", read="tsql"))
    condition = chosen.split(" WHERE ", 1)[1]
    return f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT {most}))"


def _definition(text: str) -> str:
    for pattern, becomes in TYPES.items():
        text = re.sub(pattern, becomes, text, flags=re.I)
    return text


def _statements(tree: exp.Expr) -> list[Statement]:
    if isinstance(tree, exp.Command):
        raise ValueError(f"not understood: {tree.sql('tsql')}")
    if isinstance(tree, exp.Transaction):
        return [Statement("BEGIN")]
    if isinstance(tree, exp.Commit):
        return [Statement("", commits=True)]
    before = _hinted(tree)
    _without_what_is_ours_alone(tree)
    if isinstance(tree, exp.Update):
        _update_of_a_join(tree)
    if isinstance(tree, exp.Delete):
        _delete_from_a_cte(tree)
    return [*map(Statement, before), Statement(_rendered(tree))]


def _hinted(tree: exp.Expr) -> list[str]:
    """HOLDLOCK becomes a lock of the whole table by name, UPDLOCK one of the rows. Returns what is to be run before."""
    before = list[str]()
    for table in list(tree.find_all(exp.Table)):
        hints = {str(name).upper() for hint in table.args.get("hints") or [] for name in hint.expressions}
        table.set("hints", None)
        select = table.find_ancestor(exp.Select)
        if "HOLDLOCK" in hints:
            before.append(f"SELECT pg_advisory_xact_lock(hashtext('{table.name}'))::text")
        elif "UPDLOCK" in hints and select and not select.find_ancestor(exp.Exists):
            of = exp.to_identifier(table.alias_or_name)
            select.append("locks", exp.Lock(update=True, expressions=[of], wait=False if "READPAST" in hints else None))
        elif "REPEATABLEREAD" in hints and select:
            select.append("locks", exp.Lock(update=False, expressions=[exp.to_identifier(table.alias_or_name)]))
    return before


def _without_what_is_ours_alone(tree: exp.Expr) -> None:
    for select in list(tree.find_all(exp.Select)):
        select.set("options", None)
    tree.set("options", None)
    for collate in list(tree.find_all(exp.Collate)):
        collate.replace(collate.this)
    for within in list(tree.find_all(exp.With)):
        within.set("recursive", True)
    for ordered in list(tree.find_all(exp.Ordered)):
        ordered.set("nulls_first", bool(ordered.args.get("desc")))
    for convert in list(tree.find_all(exp.Convert)):
        convert.replace(exp.Anonymous(this="decode", expressions=[convert.expression, exp.Literal.string("hex")]))
    for kind in list(tree.find_all(exp.DataType)):
        if kind.this in (exp.DType.BINARY, exp.DType.VARBINARY):
            kind.set("expressions", [])


def _update_of_a_join(update: exp.Update) -> None:
    """`UPDATE s … FROM n JOIN stock AS s ON …` names its table by the alias in the join."""
    origin = update.args.get("from_")
    if origin is None:
        return
    joins = list(origin.this.args.get("joins") or [])
    for join in joins:
        if join.this.alias_or_name == update.this.name:
            update.set("this", join.this)
            update.set("where", exp.Where(this=exp.and_(join.args["on"], update.args["where"].this)))
            origin.this.set("joins", [each for each in joins if each is not join])


def _delete_from_a_cte(delete: exp.Delete) -> None:
    """What is deleted from a CTE goes from its table."""
    within = delete.args.get("with_")
    for cte in within.expressions if within else []:
        if cte.alias == delete.this.name:
            table = cte.this.find(exp.Table)
            delete.set("this", exp.to_table(table.name))
            delete.set("using", [exp.to_table(cte.alias)])
            same = exp.column("seq", table.name).eq(exp.column("seq", cte.alias))
            delete.set("where", exp.Where(this=same))
            for column in delete.args["returning"].find_all(exp.Column):
                column.set("table", exp.to_identifier(table.name))


def _rendered(tree: exp.Expr) -> str:
    """Rows in JSON, which PostgreSQL types in the alias, are put in as text."""
    rows = dict[str, str]()
    for number, table in enumerate(list(tree.find_all(exp.Table))):
        if isinstance(table.this, exp.OpenJSON):
            columns = ", ".join(
                f'"{each.name}" {_definition(each.args["kind"].sql("tsql").lower())}' for each in table.this.expressions
            )
            given = f"@{table.this.this.name}"
            rows[f"json_{number}"] = f"json_to_recordset({given}::json) AS {table.alias}({columns})"
            table.replace(exp.to_table(f"json_{number}"))
    for parameter in list(tree.find_all(exp.Parameter)):
        parameter.replace(exp.Var(this=f"@{parameter.name}"))
    sql = tree.sql("postgres").replace("SYSUTCDATETIME()", "now()")
    for name, becomes in rows.items():
        sql = sql.replace(name, becomes)
    return sql
