"""What is true of the catalogue's T-SQL only, and what its stand-in would not refuse."""

from itertools import product
from uuid import UUID

import pytest
import sqlglot
from sqlglot import exp

from services.catalog.store import Position, Sort, Wanted
from services.catalog.store.azuresql_list import counting, listing

LAMP = UUID(int=2)
WANTED = [Wanted(), Wanted(category=LAMP), Wanted(LAMP, ["lamp", "red"], 1, 9, True, "draft", ["=color=red"])]


@pytest.mark.parametrize(("wanted", "sort", "further"), list(product(WANTED, Sort, (False, True))))
def test_a_list_is_one_statement_with_a_parameter_for_each_mark(wanted: Wanted, sort: Sort, further: bool) -> None:
    after = Position(sort, "lamp" if sort is Sort.NAME else 5, LAMP) if further else None

    sql, values = listing(wanted, sort, after, 20)

    (statement,) = sqlglot.parse(sql, read="tsql")
    assert isinstance(statement, exp.Select)
    assert len(list(statement.find_all(exp.Placeholder))) == len(values)


@pytest.mark.parametrize("sort", Sort)
def test_a_list_names_no_column_twice_in_its_order(sort: Sort) -> None:
    sql, _ = listing(Wanted(words=["lamp"]), sort, None, 20)

    order = sqlglot.parse_one(sql, read="tsql").args["order"]
    columns = [column.sql() for column in order.find_all(exp.Column)]
    assert len(columns) == len(set(columns))
    assert order.expressions[-1].this.sql() == "p.id"


@pytest.mark.parametrize("wanted", WANTED)
def test_counts_are_one_statement_with_a_parameter_for_each_mark(wanted: Wanted) -> None:
    sql, values = counting(wanted)

    (statement,) = sqlglot.parse(sql, read="tsql")
    assert isinstance(statement, exp.Union)
    assert len(list(statement.find_all(exp.Placeholder))) == len(values)
