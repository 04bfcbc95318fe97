"""Nobody can order before the functions hear of it, and they are waited for."""

import pytest

from deploy.azure.hooks.postdeploy import postdeploy
from deploy.azure.hooks.tools import Failed
from tests.deploy.azure_stand_ins import Cloud, ok, patient

pytestmark = pytest.mark.deploy

HANDSHAKE = (1, "", '{"code": "Url validation", "message": "Webhook validation handshake failed for https://f. …"}')
BROKEN = (7, "", "curl: (7) Failed to connect to functions.example.com")


def deployed(cloud: Cloud) -> list[str]:
    return [each["command"][each["command"].index("--name") + 1] for each in cloud.heard("deployment group create")]


def test_the_door_is_opened_after_the_functions_hear(cloud: Cloud) -> None:
    cloud.answers(("routes.bicep", ok({"address": {"type": "String", "value": "https://store.example.com"}})))

    done = cloud.run("postdeploy")

    assert deployed(cloud) == ["subscriptions", "routes"]
    assert "https://store.example.com" in done.stdout
    assert len(cloud.heard("azd env set STORE_ADDRESS https://store.example.com")) == 1


def test_event_grid_is_told_of_functions_that_run_and_answer(cloud: Cloud) -> None:
    starting = [
        *ok([None, None]),
        *ok(["Processing", "None"]),
        *ok(["Running", "Unhealthy"]),
        *ok(["Running", "Healthy"]),
    ]
    cloud.answers(("revision show", starting), ("curl", [BROKEN, *ok("404"), *ok("401")]))
    pauses: list[float] = []

    postdeploy(patient(cloud, lambda: 0.0, pauses))

    last = [each["command"][0:3] for each in cloud.heard("")].index(["az", "deployment", "group"])
    assert len(pauses) == 5
    assert [each["command"][0] for each in cloud.heard("")[:last]].count("curl") == 3
    assert cloud.heard("curl")[0]["command"][-1].startswith("https://functions.example.com/api/")
    assert all("--revision functions--1" in " ".join(each["command"]) for each in cloud.heard("revision show"))
    assert deployed(cloud) == ["subscriptions", "routes"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (("revision show", ok(["Failed", "Unhealthy"])), "functions--1 is Failed and Unhealthy"),
        (("curl", ok("404")), "https://functions.example.com answers 404, not yet 401"),
        (("curl", [BROKEN]), "Failed to connect"),
    ],
    ids=["does not start", "has no functions", "can't be reached"],
)
def test_functions_that_do_not_run_are_an_error_in_the_end(
    answers: tuple[str, list[tuple[int, str, str]]], said: str, cloud: Cloud
) -> None:
    cloud.answers(answers)
    times = iter(range(0, 10_000, 100))

    with pytest.raises(Failed, match=said):
        postdeploy(patient(cloud, lambda: float(next(times)), []))

    assert deployed(cloud) == []


def test_a_handshake_that_fails_is_tried_again(cloud: Cloud) -> None:
    cloud.answers(("subscriptions.bicep", [HANDSHAKE, HANDSHAKE, *ok()]))
    pauses: list[float] = []

    postdeploy(patient(cloud, lambda: 0.0, pauses))

    assert len(pauses) == 2
    assert deployed(cloud) == ["subscriptions"] * 3 + ["routes"]


def test_nobody_can_order_where_the_functions_do_not_hear(cloud: Cloud) -> None:
    cloud.answers(("subscriptions.bicep", [HANDSHAKE]))
    times = iter(range(0, 10_000, 100))

    with pytest.raises(Failed, match="handshake"):
        postdeploy(patient(cloud, lambda: float(next(times)), []))

    assert set(deployed(cloud)) == {"subscriptions"}


def test_what_will_not_pass_by_itself_is_an_error_at_once(cloud: Cloud) -> None:
    cloud.answers(("subscriptions.bicep", [(1, "", "InvalidTemplate")]))

    done = cloud.run("postdeploy")

    assert (done.returncode, deployed(cloud)) == (1, ["subscriptions"])
    assert "InvalidTemplate" in done.stderr
