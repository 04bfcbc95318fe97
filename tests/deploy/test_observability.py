"""The dashboard, the alerts and the page of what is measured speak of what the code measures, and of nothing else."""

import json
from collections.abc import Iterator

import pytest
import yaml

from deploy import telemetry
from deploy.lint import promql
from deploy.lint.promql import Unreadable
from deploy.telemetry import ROOT

pytestmark = pytest.mark.deploy

FOLDER = ROOT / "deploy" / "observability"
PROMETHEUS = {"up": set[str]()}  # its own, and what it says of each target
OF_TARGETS = {"job", "instance"}


def panels() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [each for each in found if each["type"] != "row"]


def alerts() -> list[dict[str, object]]:
    groups = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    for panel in panels():
        yield from ((str(panel["title"]), target["expr"]) for target in panel["targets"])  # type: ignore[attr-defined]
    yield from ((str(each["alert"]), str(each["expr"])) for each in alerts())


def complaints(query: str) -> list[str]:
    known = telemetry.known() | PROMETHEUS
    found = promql.read(query)
    unknown = [f"nothing measures {name}" for name in sorted(found.metrics - known.keys())]
    labels = OF_TARGETS.union(*(known.get(name, set()) for name in found.metrics))
    return [*unknown, *(f"none of them has the label {name}" for name in sorted(found.labels - labels))]


@pytest.mark.parametrize(("name", "query"), list(queries()))
def test_every_query_can_be_read_and_asks_for_what_is_measured(name: str, query: str) -> None:
    assert complaints(query) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(rate(store_inbox_duplicates_totl[5m]))", ["nothing measures store_inbox_duplicates_totl"]),
        ("sum by (queue) (store_queue_waiting)", ["none of them has the label queue"]),
        ('store_orders_recent{state="placed"}', ["none of them has the label state"]),
        ("sum by (le) (rate(store_facts_delay_seconds_count[5m]))", ["none of them has the label le"]),
    ],
)
def test_what_nobody_measures_is_found(query: str, said: list[str]) -> None:
    assert complaints(query) == said


@pytest.mark.parametrize(
    "query",
    [
        "sum(rate(store_outbox_waiting))",
        "sum(rate(store_outbox_waiting[5m])",
        "rate(store_outbox_waiting[soon])",
        "quickly(store_outbox_waiting)",
        'up{job~"a"}',
        "up{job=a}",
        "up > ",
        "up up",
        "sum by job (up)",
        "",
    ],
)
def test_what_prometheus_could_not_read_is_refused(query: str) -> None:
    with pytest.raises(Unreadable):
        promql.read(query)


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for each in alerts():
        assert each["labels"]["severity"] in ("page", "ticket"), each["alert"]  # type: ignore[index]
        assert set(each["annotations"]) == {"summary", "action"}, each["alert"]  # type: ignore[call-overload]


def test_no_two_panels_lie_on_each_other_or_have_one_id() -> None:
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels()]  # type: ignore[index]

    assert len(set(places)) == len(places)
    assert len({each["id"] for each in panels()}) == len(panels())


def test_everything_that_is_measured_is_on_the_dashboard_or_watched() -> None:
    asked = set[str]().union(*(promql.read(query).metrics for _, query in queries()))
    unseen = [
        about.name for some in telemetry.MEASURED.values() for about in some if not asked & {*telemetry.samples(about)}
    ]

    assert unseen == []


def test_the_page_lists_what_the_code_measures() -> None:
    assert telemetry.PAGE.read_text() == telemetry.page(telemetry.PAGE.read_text()), "run `python -m deploy.telemetry`"
