"""What is true of the catalogue's T-SQL only, and what its stand-in would not refuse."""

from itertools import product
from uuid import UUID

import pytest
import sqlglot
from sqlglot import exp

from services.catalog.store import Position, Sort, Wanted
from services.catalog.store.azuresql_list import listing

LAMP = UUID(int=2)
WANTED = [Wanted(), Wanted(category=LAMP), Wanted(LAMP, q="lamp", min_price=1, max_price=9, in_stock=True)]


@pytest.mark.parametrize(("wanted", "sort", "further"), list(product(WANTED, Sort, (False, True))))
def test_a_list_is_one_statement_with_a_parameter_for_each_mark(wanted: Wanted, sort: Sort, further: bool) -> None:
    after = Position(sort, "lamp" if sort is Sort.NAME else 5, LAMP) if further else None

    sql, values = listing(wanted, sort, after, 20)

    (statement,) = sqlglot.parse(sql, read="tsql")
    assert isinstance(statement, exp.Select)
    assert len(list(statement.find_all(exp.Placeholder))) == len(values)


@pytest.mark.parametrize("sort", Sort)
def test_a_list_names_no_column_twice_in_its_order(sort: Sort) -> None:
    sql, _ = listing(Wanted(), sort, None, 20)

    order = sqlglot.parse_one(sql, read="tsql").args["order"]
    columns = [column.sql() for column in order.find_all(exp.Column)]
    assert len(columns) == len(set(columns))
    assert columns[-1] == "p.id"


def test_what_is_special_in_a_pattern_is_searched_for_as_it_is() -> None:
    _, values = listing(Wanted(q=r"50%_[a]\b"), Sort.NAME, None, 20)

    assert values[0] == r"%50\%\_\[a]\\b%"
