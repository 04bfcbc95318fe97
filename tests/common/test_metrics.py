"""Figures: counted, bounded, and told in OpenMetrics text."""

from libs.common import measures, openmetrics
from libs.common.measures import Measures
from libs.common.metrics import MOST_SERIES, Measure, Metrics

TOLD = Measure("counter", "store.told", "{fact}", "Facts that were told.", ("kind", "where.to"))
LONG = Measure("histogram", "store.long", "s", 'Time, in "seconds".', (), (0.1, 1))
FULL = Measure("gauge", "store.full", "By", "Bytes.")


def test_prometheus_reads_counters_gauges_and_histograms() -> None:
    metrics = Metrics()
    told, long, full = metrics.numbers(TOLD), metrics.histogram(LONG), metrics.numbers(FULL)

    told.add("a", 'x"\\\n')
    told.add("a", 'x"\\\n', amount=2)
    told.add("b", "")
    for seconds in (0.05, 0.1, 0.5, 7):
        long.record(seconds)
    full.set(12)

    assert openmetrics.text(metrics).splitlines() == [
        "# TYPE store_told counter",
        "# HELP store_told Facts that were told.",
        'store_told_total{kind="a",where_to="x\\"\\\\\\n"} 3',
        'store_told_total{kind="b"} 1',
        "# TYPE store_long_seconds histogram",
        "# UNIT store_long_seconds seconds",
        '# HELP store_long_seconds Time, in \\"seconds\\".',
        'store_long_seconds_bucket{le="0.1"} 2',
        'store_long_seconds_bucket{le="1"} 3',
        'store_long_seconds_bucket{le="+Inf"} 4',
        "store_long_seconds_count 4",
        "store_long_seconds_sum 7.65",
        "# TYPE store_full_bytes gauge",
        "# UNIT store_full_bytes bytes",
        "# HELP store_full_bytes Bytes.",
        "store_full_bytes 12",
        "# EOF",
    ]


def test_however_many_labels_there_are_the_series_are_bounded_and_nothing_is_lost() -> None:
    metrics = Metrics()
    told, long = metrics.numbers(TOLD), metrics.histogram(Measure("histogram", "x", "s", "", ("a",), (1,)))

    for number in range(MOST_SERIES + 50):
        told.add("a", str(number))
        long.record(0.5, str(number))

    assert len(told.read()) == len(long.read()) == MOST_SERIES + 1
    assert told.read()["other", "other"] == 50
    assert long.read()[("other",)].count == 50


def test_a_gauge_that_is_cleared_says_nothing_any_more() -> None:
    metrics = Metrics()
    full = metrics.numbers(FULL)
    full.set(1)

    full.clear()

    assert "store_full_bytes 1" not in openmetrics.text(metrics)


def test_a_process_gives_all_that_is_in_the_list_and_knows_its_own_memory() -> None:
    mine = Measures()

    families = {each.about for each in mine.metrics.read()}

    assert families == set(measures.ALL)
    assert mine.memory.read()[()] > 1_000_000
    assert mine.cpu.read()[()] > 0
