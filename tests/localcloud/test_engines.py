"""Which engine is meant, and which one a state stays with."""

from pathlib import Path
from uuid import UUID

import pytest

from localcloud import engines, sample
from localcloud.engines import USUAL, Bound, Engines, Unknown, bind, choose, read
from localcloud.sample import Sample

MIXED: Engines = {"catalog": "postgres", "orders": "tables", "customers": "azuresql"}


def test_one_engine_is_for_all_services_and_what_is_not_named_is_as_usual() -> None:
    assert read("tables") == dict.fromkeys(engines.SERVICES, "tables")
    assert read("orders=tables, customers=azuresql") == MIXED


@pytest.mark.parametrize(
    "asked", ["oracle", "orders", "order=tables", "orders=", "orders=tables,", "orders=tables,orders=postgres", "a=b=c"]
)
def test_what_is_not_understood_is_told_what_there_is(asked: str) -> None:
    with pytest.raises(Unknown) as raised:
        read(asked)

    assert f"ENGINE={asked} " in str(raised.value)
    assert "postgres, tables, azuresql" in str(raised.value)
    assert "catalog, orders, customers" in str(raised.value)


def test_a_new_state_takes_what_is_asked_for_and_postgres_without(tmp_path: Path) -> None:
    assert choose(tmp_path, None) == USUAL
    assert choose(tmp_path, "orders=tables,customers=azuresql") == MIXED
    assert choose(tmp_path, "tables") == read("tables")


def test_a_state_stays_with_what_it_began_with(tmp_path: Path) -> None:
    bind(tmp_path, MIXED)

    assert choose(tmp_path, None) == MIXED
    assert choose(tmp_path, "customers=azuresql,orders=tables") == MIXED
    with pytest.raises(Bound) as raised:
        choose(tmp_path, "tables")
    for said in ("catalog on postgres, customers on azuresql", "make clean", "STATE=", "make move"):
        assert said in str(raised.value)


def test_a_state_from_before_there_was_a_choice_is_on_postgres(tmp_path: Path) -> None:
    sample.write(tmp_path, Sample(UUID(int=1), UUID(int=2)))

    assert choose(tmp_path, None) == USUAL
    with pytest.raises(Bound):
        choose(tmp_path, "tables")


def test_the_choice_is_said_in_short() -> None:
    assert engines.summary(read("tables")) == "tables"
    assert engines.summary(MIXED) == "catalog on postgres, orders on tables, customers on azuresql"
