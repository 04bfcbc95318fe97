"""The store's API in Entra: registration, scope, app roles and who has them. Through Microsoft Graph, by `az rest`."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from deploy.azure.hooks.tools import Tools, written

GRAPH = "https://graph.microsoft.com/v1.0"
ROLES = {
    "Store.Admin": "Writes to the catalogue, sees every order.",
    "Store.Customer": "Has a profile and orders of their own.",
    "Store.Service": "The functions: ask the services on behalf of the store.",
}
# With it people get a token; what they may do is in their app roles.
SCOPE = "Store.Access"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # the same in every tenant


def ensure_api(tools: Tools, name: str) -> str:
    """The client id of the API. Each step is done where it is not done yet: the last run may have ended in between."""
    client_id = _known(tools, "app", f"displayName eq '{name}'")
    if not client_id:
        client_id = str(_send(tools, "post", "/applications", registration(name)).get("appId", "<client id>"))
    _send(tools, "patch", f"/applications(appId='{client_id}')", {"identifierUris": [f"api://{client_id}"]})
    if not _known(tools, "sp", f"appId eq '{client_id}'"):
        _send(tools, "post", "/servicePrincipals", {"appId": client_id})
    return client_id


def _known(tools: Tools, kind: str, what: str) -> str:
    """The client id of an application or its principal, empty where there is none."""
    query = ("--filter", what, "--query", "[0].appId", "--output", "json")
    return str(tools.ask("az", "ad", kind, "list", *query) or "")


def registration(name: str) -> dict[str, Any]:
    """Its tokens are of version 2: their audience is the client id, their issuer ends with /v2.0."""
    return {
        "displayName": name,
        "signInAudience": "AzureADMyOrg",
        "api": {"requestedAccessTokenVersion": 2},
        "appRoles": [
            {
                "id": role_id(role),
                "value": role,
                "displayName": role,
                "description": meaning,
                "isEnabled": True,
                "allowedMemberTypes": ["User", "Application"],
            }
            for role, meaning in ROLES.items()
        ],
    }


def ensure_scope(tools: Tools, client_id: str) -> None:
    """Azure's command line may have it without consent. Two requests: Graph takes no client of a scope that is new in
    the same one. What somebody has added stays, and nothing is written over: Graph refuses to change a scope in use.
    """
    query = ("--filter", f"appId eq '{client_id}'", "--query", "[0].api", "--output", "json")
    known = tools.ask("az", "ad", "app", "list", *query) or {}
    scopes, clients = known.get("oauth2PermissionScopes") or [], known.get("preAuthorizedApplications") or []
    path = f"/applications(appId='{client_id}')"
    if scope_id() not in {each["id"] for each in scopes}:
        _send(tools, "patch", path, {"api": {"oauth2PermissionScopes": [*scopes, scope()]}})
    if AZURE_CLI not in {each["appId"] for each in clients}:
        client = {"appId": AZURE_CLI, "delegatedPermissionIds": [scope_id()]}
        _send(tools, "patch", path, {"api": {"preAuthorizedApplications": [*clients, client]}})


def scope() -> dict[str, Any]:
    """Anyone may allow an app to act for them: it can do no more than their roles let them do."""
    name, meaning = "Use the store", "Lets the app use the store on your behalf, in the roles that you have there."
    return {
        "id": scope_id(),
        "value": SCOPE,
        "type": "User",
        "isEnabled": True,
        "adminConsentDisplayName": name,
        "adminConsentDescription": meaning,
        "userConsentDisplayName": name,
        "userConsentDescription": meaning,
    }


def scope_id() -> str:
    return str(uuid5(NAMESPACE_URL, f"store/scopes/{SCOPE}"))


def role_id(role: str) -> str:
    """The same in every registration, so nobody need look it up."""
    return str(uuid5(NAMESPACE_URL, f"store/roles/{role}"))


def ensure_roles(tools: Tools, client_id: str, wanted: Mapping[str, list[str]], principals: Mapping[str, str]) -> None:
    """`wanted` are the app roles by name of a principal, `principals` their object ids."""
    api = tools.ask("az", "ad", "sp", "show", "--id", client_id, "--query", "id", "--output", "json") or "<api>"
    path = f"/servicePrincipals/{api}/appRoleAssignedTo"
    answer = tools.ask("az", "rest", "--method", "get", "--url", GRAPH + path) or {"value": []}
    given = {(each["principalId"], each["appRoleId"]) for each in answer["value"]}
    for name, roles in wanted.items():
        for role in roles:
            if (principals[name], role_id(role)) not in given:
                tools.say(f"Entra: {name} becomes {role}")
                assignment = {"principalId": principals[name], "resourceId": api, "appRoleId": role_id(role)}
                _send(tools, "post", path, assignment)


def _send(tools: Tools, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """By a file: cmd.exe would take JSON apart."""
    with written(json.dumps(body)) as file:
        what = ("--url", GRAPH + path, "--headers", "Content-Type=application/json", "--body", f"@{file}")
        answer = tools.do("az", "rest", "--method", method, *what)
    return dict(json.loads(answer)) if answer.strip() else {}
