"""Who may ask: loopback is reached by every page that this machine's browser shows."""

import pytest
from azure.servicebus import ServiceBusMessage

from localcloud.inspector.door import SHOWN
from tests.localcloud.inspector.cloud import Cloud

PURGE = {"entity": "orders"}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "[::1]:{port}"]
)
@pytest.mark.parametrize("path", ["/", "/api/overview", "/inspector.js", "/nowhere"])
async def test_a_name_that_somebody_else_has_led_here_is_told_nothing(cloud: Cloud, path: str, host: str) -> None:
    answer = await cloud.ask(path, headers={"Host": host.format(port=cloud.port)})

    assert (answer.status, cloud.inspector.door.token in str(answer.body)) == (421, False)


@pytest.mark.parametrize(
    "headers",
    [
        {SHOWN: ""},
        {SHOWN: "guessed"},
        {SHOWN: "ä"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=str,
)
async def test_another_page_can_do_nothing(cloud: Cloud, headers: dict[str, str]) -> None:
    await cloud.send(ServiceBusMessage("stays"))

    answer = await cloud.act("purge", PURGE, **{name: each.format(port=cloud.port) for name, each in headers.items()})

    assert (answer.status, (await cloud.entity("orders"))["active"]) == (403, 1)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_our_own_page_can_by_either_name(cloud: Cloud, name: str) -> None:
    here = {"Host": f"{name}:{cloud.port}", "Origin": f"http://{name}:{cloud.port}", "Sec-Fetch-Site": "same-origin"}

    assert (await cloud.act("purge", PURGE, **here)).status == 200


@pytest.mark.parametrize("path", ["/", "/style.css", "/inspector.js", "/api/overview", "/api/messages", "/nowhere"])
async def test_every_answer_says_that_it_is_for_our_page_alone(cloud: Cloud, path: str) -> None:
    headers = (await cloud.ask(path)).headers

    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


async def test_nothing_is_done_by_looking(cloud: Cloud) -> None:
    for name in ("purge", "resend", "publish", "pause", "resume", "conditions"):
        assert (await cloud.ask(f"/api/{name}")).status == 405


async def test_who_acts_with_too_much_is_stopped(cloud: Cloud) -> None:
    assert (await cloud.act("publish", {"topic": "catalog", "event": "x" * 2_000_000})).status == 413
