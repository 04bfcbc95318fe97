"""HTTP functions and the host's own endpoints, over the wire."""

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from localcloud.functions_host.calls import KEPT
from localcloud.functions_host.host_json import Extensions, HostJson, Http
from localcloud.functions_host.routes import Template

NOBODY = {"x-functions-key": ""}
MASTER = {"x-functions-key": "master-key"}


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        (NOBODY, "", 401),
        ({"x-functions-key": "wrong"}, "", 401),
        ({"x-functions-key": "grid-key"}, "", 401),
        ({"x-functions-key": "wrong"}, "?code=function-key", 401),  # the header wins
        ({"x-functions-key": "function-key"}, "", 200),
        (MASTER, "", 200),
        (NOBODY, "?code=function-key", 200),
    ],
)
async def test_a_function_opens_to_its_key_or_the_master_key(
    serve: Any, headers: dict[str, str], query: str, status: int
) -> None:
    async with serve() as client, client.get(f"/api/products/1{query}", headers=headers) as response:
        assert response.status == status


async def test_an_admin_function_opens_to_the_master_key_only(serve: Any) -> None:
    async with serve() as client:
        refused = await client.get("/api/keys/admin")
        welcome = await client.get("/api/keys/admin", headers=MASTER)

        assert refused.status == 401
        assert (welcome.status, await welcome.text()) == (200, "welcome")
        assert welcome.content_type == "text/plain"


async def test_a_function_sees_the_request_and_shapes_the_answer(serve: Any) -> None:
    async with serve() as client:
        response = await client.post(
            "/api/products/7?code=function-key&a=1&empty=", data="naïve", headers={"x-wish": "w"}
        )

        assert (response.status, response.content_type) == (201, "application/json")
        assert response.cookies["seen"].value == "yes"
        assert await response.json() == {
            "method": "POST",
            "id": "7",
            "query": {"code": "function-key", "a": "1"},
            "wish": "w",
            "body": "naïve",
        }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/api/products/7", 404),
        ("GET", "/api/products/seven", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/products/7", 404),
        ("GET", "/runtime/webhooks/Other", 404),
    ],
)
async def test_another_method_or_path_is_not_served(serve: Any, method: str, path: str, status: int) -> None:
    async with serve() as client, client.request(method, path) as response:
        assert response.status == status


@pytest.mark.parametrize("name", ["broken", "empty"])
async def test_a_failure_is_a_500_that_tells_nothing(serve: Any, name: str) -> None:
    async with serve() as client, client.get(f"/api/{name}") as response:
        assert (response.status, await response.text()) == (500, "")


async def test_a_call_is_given_up_after_the_functions_timeout(serve: Any) -> None:
    options = HostJson("2.0", function_timeout="00:00:00")

    async with serve(options=options) as client, client.get("/api/endless") as response:
        assert response.status == 500


async def test_the_route_prefix_comes_from_host_json(serve: Any) -> None:
    options = HostJson("2.0", extensions=Extensions(http=Http(route_prefix="")))

    async with serve(options=options) as client, client.get("/products/7") as response:
        assert response.status == 200


async def test_a_body_that_is_too_large_is_a_413(serve: Any) -> None:
    async with serve(environ={"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "100"}) as client:
        assert (await client.post("/api/products/7", data=b"a" * 100)).status == 201
        assert (await client.post("/api/products/7", data=b"a" * 101)).status == 413


@pytest.mark.parametrize(
    ("route", "path", "found"),
    [
        ("a/{b?}", "/a", {}),
        ("a/{b?}", "/a/x/", {"b": "x"}),
        ("a/{b:int?}", "/a/x", None),
        ("a/{b:int=7}", "/a", {"b": "7"}),
        ("A/b", "/a/B", {}),
        ("files/{*rest}", "/files/a/b", {"rest": "a/b"}),
        ("files/{*rest}", "/files", {}),
        ("{name}.{kind}", "/a.b.c", {"name": "a.b", "kind": "c"}),
        ("v{n:min(2)}", "/v1", None),
        ("v{n:range(1,3)}", "/v3", {"n": "3"}),
        (r"{year:regex(^\d{{4}}$)}", "/2026", {"year": "2026"}),
        ("{a:length(2,3):alpha}", "/abcd", None),
        ("{a:guid}", "/0a1da000-0000-4000-8000-000000000001", {"a": "0a1da000-0000-4000-8000-000000000001"}),
        ("{a:bool}/{b:datetime}", "/true/2026-06-01", {"a": "true", "b": "2026-06-01"}),
        ("{a:int}", "/2147483648", None),
        ("{a:long}", "/2147483648", {"a": "2147483648"}),
        ("{a:decimal}", "/1.5", {"a": "1.5"}),
        ("", "/", {}),
    ],
)
def test_a_route_is_read_as_asp_net_reads_it(route: str, path: str, found: dict[str, str] | None) -> None:
    assert Template.parse(route).match(path) == found


@pytest.mark.parametrize(
    "route", ["a/{b", "a/{b?}/c", "{a}/{A}", "a//b", "{a:foo}", "{a:regex([)}", "{*a}/b", "a/{}", "x{a?}", "{a:min(b)}"]
)
def test_a_route_that_is_not_understood_is_refused(route: str) -> None:
    with pytest.raises(ValueError, match="is not understood"):
        Template.parse(route)


@given(route=st.text("{}/:*?=()ab1.,", max_size=20), path=st.text(max_size=30))
def test_no_route_and_no_path_is_more_than_understood_or_not(route: str, path: str) -> None:
    with suppress(ValueError):
        Template.parse(route).match("/" + path)


async def test_a_key_of_one_function_opens_no_other(serve: Any) -> None:
    key = {"x-functions-key": "echo-key"}

    async with serve() as client:
        assert (await client.get("/api/products/1", headers=key)).status == 200
        assert (await client.get("/api/keys/plain", headers=key)).status == 401


async def test_beyond_what_host_json_lets_wait_a_request_is_a_429(serve: Any) -> None:
    options = HostJson("2.0", extensions=Extensions(http=Http(max_outstanding_requests=1)))

    async with serve(options=options) as client:
        await client.get("/api/heard")  # the greeting of the timer that runs at start
        waiting = asyncio.create_task(client.get("/api/heard"))
        async with asyncio.timeout(10):
            while (refused := await client.get("/api/products/7")).status == 200:
                assert not waiting.done()
        await client.post("/admin/functions/greet", json={}, headers=MASTER)

        assert refused.status == 429
        assert (await waiting).status == 200


async def test_a_function_that_a_setting_disables_is_called_by_nobody(serve: Any) -> None:
    async with serve(environ={"AzureWebJobs.echo.Disabled": "true"}) as client:
        assert (await client.get("/api/products/7")).status == 404
        status = await client.get("/admin/functions/echo/status", headers=MASTER)
        assert (await status.json())["isDisabled"] is True


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "BREW"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=60),
            st.sampled_from(["", "function-key", "\xff", "wrong"]),
            st.binary(max_size=300),
        ),
        max_size=20,
    )
)
def test_whatever_is_asked_is_answered(serve: Any, requests: list[tuple[str, str, str, bytes]]) -> None:
    async def ask() -> None:
        async with serve() as client, asyncio.timeout(20):
            for method, path, key, body in requests:
                url = URL("/api/" + quote(path, safe="/"), encoded=True)
                async with client.request(method, url, data=body, params={"code": key}) as answer:
                    assert answer.status in {200, 201, 400, 401, 404}

    asyncio.run(ask())


async def test_admin_opens_to_the_master_key_only(serve: Any) -> None:
    async with serve() as client:
        for path in ("/admin/host/status", "/admin/functions", "/admin/calls", "/admin/host/keys"):
            assert (await client.get(path)).status == 401
        assert (await client.post("/admin/functions/hear_fact", json={})).status == 401


async def test_admin_tells_that_the_host_runs_and_what_it_holds(serve: Any) -> None:
    async with serve() as client:
        status = await (await client.get("/admin/host/status", headers=MASTER)).json()
        functions = {each["name"]: each for each in await (await client.get("/admin/functions", headers=MASTER)).json()}

    assert status["state"] == "Running"
    assert set(functions) >= {"hear_fact", "hear_event", "sweep", "echo"}
    assert functions["sweep"]["config"]["bindings"][0]["schedule"] == "0 30 3 * * *"


async def test_admin_shows_the_last_calls_and_nothing_of_what_was_in_them(serve: Any) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    async with serve() as client:
        for _ in range(KEPT + 1):
            await client.get("/api/products/7", headers=trace)
        await client.get("/api/personal")
        listed = await (await client.get("/admin/calls", headers=MASTER)).json()

    calls = {each["function"]: each["calls"] for each in listed}
    assert len(calls["echo"]) == KEPT
    assert calls["echo"][0]["outcome"] == "succeeded"
    assert calls["echo"][0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert calls["echo"][0]["duration_ms"] >= 0
    assert datetime.fromisoformat(calls["echo"][0]["at"]).tzinfo is not None
    (failed,) = calls["personal"]
    assert (failed["outcome"], failed["error"]) == ("failed", "LookupError: no letter for … of … …")


async def test_admin_shows_the_keys(serve: Any) -> None:
    async with serve() as client:
        host = await (await client.get("/admin/host/keys", headers=MASTER)).json()
        system = await client.get("/admin/host/systemkeys/eventgrid_extension", headers=MASTER)
        own = await (await client.get("/admin/functions/echo/keys", headers=MASTER)).json()

        assert host["keys"] == [{"name": "default", "value": "function-key"}]
        assert (await system.json())["value"] == "grid-key"
        assert own["keys"] == [{"name": "default", "value": "echo-key"}]
        for missing in ("/admin/functions/nope", "/admin/functions/nope/keys", "/admin/host/systemkeys/nope"):
            assert (await client.get(missing, headers=MASTER)).status == 404


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("hear_event", json.dumps({"id": "e-9", "data": {"a": 1}}), {"id": "e-9", "type": None, "data": {"a": 1}}),
        ("GREET", "", {"greeted": True}),
    ],
)
async def test_admin_runs_any_function_now(serve: Any, name: str, body: str, told: dict[str, Any]) -> None:
    async with serve() as client:
        await client.get("/api/heard")  # the greeting at start
        started = await client.post(f"/admin/functions/{name}", json={"input": body}, headers=MASTER)

        assert started.status == 202
        assert await (await client.get("/api/heard")).json() == told


@pytest.mark.parametrize(("path", "body", "status"), [("nope", b"{}", 404), ("greet", b"[", 400)])
async def test_admin_refuses_what_it_cannot_run(serve: Any, path: str, body: bytes, status: int) -> None:
    async with serve() as client, client.post(f"/admin/functions/{path}", data=body, headers=MASTER) as response:
        assert response.status == status
