"""Who az is logged in as, and whether it works where azd does."""

from typing import Any

from deploy.azure.hooks.tools import Failed, Tools

NOBODY = {"id": "<subscription>", "tenantId": "<tenant>", "user": {"name": "<you>", "type": "user"}}  # in a dry run


def ensure_account(tools: Tools) -> dict[str, Any]:
    """Entra and sqlcmd know of no `--subscription`: they go where az is. Raises Failed where azd is elsewhere."""
    account: dict[str, Any] = tools.ask("az", "account", "show", "--output", "json") or NOBODY
    if not tools.dry:
        subscription = tools.setting("AZURE_SUBSCRIPTION_ID")
        tenant = tools.environment.get("AZURE_TENANT_ID") or account["tenantId"]
        if account["tenantId"].lower() != tenant.lower():
            raise Failed(f"az is in the tenant {account['tenantId']}, azd in {tenant}: az login --tenant {tenant}")
        if account["id"].lower() != subscription.lower():
            cure = f"az account set --subscription {subscription}"
            raise Failed(f"az is in the subscription {account['id']}, azd in {subscription}: {cure}")
    return account


def ensure_operator(tools: Tools, user: dict[str, str]) -> None:
    """Whoever is logged in looks after the store, unless someone else was named."""
    if tools.environment.get("OPERATOR_NAME") and tools.environment.get("AZURE_PRINCIPAL_ID"):
        return
    person = user["type"] == "user"
    who = ("signed-in-user", "show") if person else ("sp", "show", "--id", user["name"])
    found = tools.ask("az", "ad", *who, "--query", "id", "--output", "json")
    tools.keep("OPERATOR_NAME", user["name"])
    tools.keep("AZURE_PRINCIPAL_ID", str(found or "<your object id>"))
    tools.keep("AZURE_PRINCIPAL_TYPE", "User" if person else "ServicePrincipal")
