"""HTTP functions and the host's own endpoints, over the wire."""

import json
from typing import Any

import pytest

from localcloud.functions_host import http_trigger
from localcloud.functions_host.host_json import Extensions, HostJson, Http
from localcloud.functions_host.indexing import Refused

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
        ("DELETE", "/api/products/7", 405),
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


@pytest.mark.parametrize("route", ["files/{*rest}", "a/{id?}", "a/{id:regex(x)}", "a/{}"])
def test_a_route_that_is_not_understood_is_refused(route: str) -> None:
    with pytest.raises(Refused, match="is not understood here"):
        http_trigger.path("api", route)


async def test_admin_opens_to_the_master_key_only(serve: Any) -> None:
    async with serve() as client:
        for path in ("/admin/host/status", "/admin/functions"):
            assert (await client.get(path)).status == 401
        assert (await client.post("/admin/functions/hear_fact", json={})).status == 401


async def test_admin_tells_that_the_host_runs_and_what_it_holds(serve: Any) -> None:
    async with serve() as client:
        status = await (await client.get("/admin/host/status", headers=MASTER)).json()
        functions = {each["name"]: each for each in await (await client.get("/admin/functions", headers=MASTER)).json()}

    assert status["state"] == "Running"
    assert set(functions) >= {"hear_fact", "hear_event", "sweep", "echo"}
    assert functions["sweep"]["config"]["bindings"][0]["schedule"] == "0 30 3 * * *"


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("hear_event", json.dumps({"id": "e-9", "data": {"a": 1}}), {"id": "e-9", "type": None, "data": {"a": 1}}),
        ("GREET", "", {"greeted": True}),
    ],
)
async def test_admin_runs_any_function_now(serve: Any, name: str, given: str, told: dict[str, Any]) -> None:
    async with serve() as client:
        await client.get("/api/heard")  # the greeting at start
        started = await client.post(f"/admin/functions/{name}", json={"input": given}, headers=MASTER)

        assert started.status == 202
        assert await (await client.get("/api/heard")).json() == told


@pytest.mark.parametrize(("path", "body", "status"), [("nope", b"{}", 404), ("greet", b"[", 400)])
async def test_admin_refuses_what_it_cannot_run(serve: Any, path: str, body: bytes, status: int) -> None:
    async with serve() as client, client.post(f"/admin/functions/{path}", data=body, headers=MASTER) as response:
        assert response.status == status
