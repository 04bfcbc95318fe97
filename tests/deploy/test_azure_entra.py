"""The store's API in Entra, as the hooks make it: registration, scope, app roles."""

import json
from typing import Any

import pytest

from deploy.azure.hooks import entra
from localcloud.topology import Topology
from tests.deploy.azure_stand_ins import Cloud, ok, vault

pytestmark = pytest.mark.deploy

SCOPE = [{"id": entra.scope_id(), "value": "Store.Access", "isEnabled": True}]
CLIENT = [{"appId": entra.AZURE_CLI, "delegatedPermissionIds": [entra.scope_id()]}]


def api(scopes: list[dict[str, Any]], clients: list[dict[str, Any]]) -> tuple[str, list[tuple[int, str, str]]]:
    return "query [0].api", ok({"oauth2PermissionScopes": scopes, "preAuthorizedApplications": clients})


def sent(cloud: Cloud, how: str) -> list[dict[str, Any]]:
    return [json.loads(each["files"][0]) for each in cloud.heard(f"{how} --url")]


def test_the_api_is_registered_with_its_roles_once(cloud: Cloud, store: Topology) -> None:
    cloud.answers(("displayName eq", ok("null")), ("/applications --headers", ok({"appId": "new-api"})))
    first = cloud.run("preprovision", API_CLIENT_ID="")
    body, _ = sent(cloud, "post")  # and its principal

    cloud.answers(("displayName eq", ok('"new-api"')), ("az ad sp list", ok('"new-api"')), api(SCOPE, CLIENT))
    second = cloud.run("preprovision", API_CLIENT_ID="")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [each["value"] for each in body["appRoles"]] == store.api.roles
    assert body["api"] == {"requestedAccessTokenVersion": 2}
    assert len(cloud.heard("post --url")) == 2
    assert len(cloud.heard("azd env set API_CLIENT_ID new-api")) == 2


def test_a_registration_that_was_cut_short_is_finished(cloud: Cloud) -> None:
    cloud.answers(("displayName eq", ok('"new-api"')), ("az ad sp list", ok("null")), api(SCOPE, CLIENT))

    done = cloud.run("preprovision", API_CLIENT_ID="")

    (address,), (principal,) = sent(cloud, "patch"), sent(cloud, "post")
    assert done.returncode == 0, done.stderr
    assert address == {"identifierUris": ["api://new-api"]}
    assert principal == {"appId": "new-api"}


def test_people_get_a_token_by_azures_own_command_line_without_being_asked(cloud: Cloud) -> None:
    cloud.answers(api([], []))

    done = cloud.run("preprovision")

    first, second = sent(cloud, "patch")  # Graph knows no scope that is new in the same request
    (scope,), (client,) = first["api"].pop("oauth2PermissionScopes"), second["api"].pop("preAuthorizedApplications")
    assert done.returncode == 0, done.stderr
    assert (scope["value"], scope["type"], scope["isEnabled"]) == ("Store.Access", "User", True)
    assert client == {"appId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "delegatedPermissionIds": [scope["id"]]}
    assert (first, second) == ({"api": {}}, {"api": {}})
    assert all("id-of-api" in " ".join(each["command"]) for each in cloud.heard("patch --url"))


def test_a_scope_that_is_there_is_left_alone(cloud: Cloud) -> None:
    cloud.answers(api(SCOPE, CLIENT))

    done = cloud.run("preprovision")

    assert done.returncode == 0, done.stderr
    assert cloud.heard("patch --url") == []


def test_what_somebody_has_added_to_the_registration_stays(cloud: Cloud) -> None:
    theirs = {"id": "their-scope", "value": "Reports", "isEnabled": False}
    shop = {"appId": "shop", "delegatedPermissionIds": ["their-scope"]}
    cloud.answers(api([theirs], [shop]))

    cloud.run("preprovision")

    first, second = sent(cloud, "patch")
    assert first["api"]["oauth2PermissionScopes"][0] == theirs
    assert second["api"]["preAuthorizedApplications"] == [shop, *CLIENT]


def test_app_roles_are_given_once(cloud: Cloud) -> None:
    given = [{"principalId": "id-of-functions", "appRoleId": entra.role_id("Store.Service")}]
    cloud.answers(("method get", ok({"value": given})), *vault([]))

    done = cloud.run("postprovision")

    (body,) = (json.loads(each["files"][0]) for each in cloud.heard("appRoleAssignedTo") if "post" in each["command"])
    assert done.returncode == 0, done.stderr
    assert body == {"principalId": "id-of-operator", "resourceId": "api", "appRoleId": entra.role_id("Store.Admin")}
