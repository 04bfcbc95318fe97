"""The trace."""

from typing import Any

import pytest

from libs.common import telemetry

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_goes_on_with_its_callers_id_and_a_span_of_its_own() -> None:
    with telemetry.trace(PARENT) as ours:
        assert ours.split("-")[1] == PARENT.split("-")[1]
        assert ours.split("-")[2] != PARENT.split("-")[2]
        assert telemetry.traceparent() == ours
        assert named_in_log() == {"trace_id": PARENT.split("-")[1], "span_id": ours.split("-")[2]}
        telemetry.name_request("r-1")
        assert named_in_log()["request_id"] == "r-1"

    assert telemetry.traceparent() == ""
    assert named_in_log() == {}


def named_in_log() -> dict[str, Any]:
    return dict(telemetry.name_in_log(None, "info", {}))


@pytest.mark.parametrize(
    "parent", [None, "", "x", PARENT + "-x", PARENT.replace("0af7", "0AF7"), "00-" + "0" * 32 + PARENT[35:]]
)
def test_what_is_no_traceparent_begins_a_new_trace(parent: str | None) -> None:
    with telemetry.trace(parent) as ours, telemetry.trace(ours) as inner:
        assert ours.split("-")[1] == inner.split("-")[1] != PARENT.split("-")[1]
