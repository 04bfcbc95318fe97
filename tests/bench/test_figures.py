"""Figures of a benchmark, and the page that tells of them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import page
from bench.figures import Benchmarks, Figures, Latency, Settled, middle, percentile

ONE = Figures(1000.0, 1.0, 2.0, 3.0, service_us=400.0, database_us=100.0, client_cores=0.2)
HALF = replace(ONE, per_second=500.0)
FOUND = Benchmarks(
    "2026-06-01",
    "2 cores",
    0.5,
    {"python": "3.11"},
    3,
    3.0,
    {
        "place": {"service": HALF, "bare": ONE, "pgbench": ONE},
        "list": {"service": ONE, "bare": ONE},
        "apart": {"service": HALF, "bare": ONE},
        "read": {"service": HALF, "bare": ONE},
        "unchanged": {"service": ONE, "bare": ONE},
    },
    [Latency(10.0, 100, 50.0, 90.0, 120.0)],
    Settled(600, 61.5, {"orders": 4000.0, "catalog": 3000.0}),
    {"at rest": {"orders": 70.0, "catalog": 71.0}, "after": {"orders": 80.0, "catalog": 81.0}},
    {
        "products": {
            1000: {"list": ONE, "search": ONE, "read": ONE},
            1_000_000: {"list": HALF, "search": HALF, "read": ONE},
        },
        "orders": {0: {"place": ONE, "mine": ONE}, 1_000_000: {"place": ONE, "mine": HALF}},
        "processes": {1: {"place": ONE}, 4: {"place": replace(ONE, client_cores=0.9)}},
    },
)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.001, 1)],
    ids=["p50", "p95", "p99", "p100", "p0"],
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_of_one_value_every_percentile_is_that_and_of_none_there_is_none() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_of_several_rounds_each_figure_is_the_median_by_itself() -> None:
    rounds = [ONE, replace(ONE, per_second=1.0, p50_ms=9.0), replace(ONE, per_second=2000.0, p50_ms=0.1)]

    assert middle(rounds) == ONE


def test_the_page_says_which_aims_are_reached() -> None:
    text = page.text(FOUND)

    assert "| place an order, of pgbench | 0.5 | 0.50 | yes |" in text
    assert "| place an order, of bare aiohttp | 0.7 | 0.50 | **no** |" in text
    assert "| read a product, of bare aiohttp | 0.7 | 0.50 | **no** |" in text
    assert "| read a product that the caller has (304), of bare aiohttp | 0.9 | 1.00 | yes |" in text


def test_the_page_has_every_figure_and_how_busy_the_client_was() -> None:
    text = page.text(FOUND)

    assert "most 0.90 of a core" in text
    assert "| place an order, the service | 500 | 1.0 | 2.0 | 3.0 | 400 | 100 |" in text
    assert "| 10 | 100 | 50 | 90 | 120 |" in text
    assert "it settles 61.5 orders a second (600 orders" in text
    assert "| orders | 4,000 | 70 | 80 |" in text
    assert "| all | 7,000 | 141 | 161 |" in text
    assert "| 1,000,000: search two words | 500 | 1.0 | 2.0 | 3.0 | 400 | 100 |" in text


def test_what_is_written_is_read_again_and_the_page_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only `make bench` installs it")

    page.write(FOUND, tmp_path)
    first = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    page.write(page.read(tmp_path), tmp_path)

    assert page.read(tmp_path) == FOUND
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == first
    assert sorted(first) == ["benchmarks-growth.svg", "benchmarks-speed.svg", "benchmarks.json", "benchmarks.md"]
