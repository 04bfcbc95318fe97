"""Once the platform is there: secrets and who reads them, who enters the databases, who has which app role."""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

from deploy.azure.hooks import databases, entra
from deploy.azure.hooks.account import ensure_account
from deploy.azure.hooks.tools import DEPLOYING_SECONDS, Tools, run, written

HERE = Path(__file__).parents[1]
SECRET_BYTES = 32
# What main.bicep tells; a dry run goes without.
TOLD: dict[str, Any] = {
    "STORE_VAULT": "<vault>",
    "STORE_SECRETS": ["<secret of the topology>"],
    "STORE_PRINCIPALS": [{"name": name, "id": f"<{name}>"} for name in ("catalog", "orders", "customers", "functions")],
    "STORE_APP_ROLES": {"functions": ["Store.Service"], "operator": ["Store.Admin"]},
    "STORE_POSTGRES": {"server": "<postgres>", "databases": ["catalog", "orders", "customers"]},
    "STORE_AZURESQL": {"server": "<azuresql>", "databases": []},
}


def told(tools: Tools, name: str) -> Any:
    """An output of main.bicep; azd keeps arrays and objects as JSON."""
    if tools.dry and not tools.environment.get(name):
        return TOLD[name]
    text = tools.setting(name)
    return json.loads(text) if text[0] in "[{" else text


def postprovision(tools: Tools) -> None:
    ensure_account(tools)
    principals = {each["name"]: each["id"] for each in told(tools, "STORE_PRINCIPALS")}
    principals["operator"] = tools.setting("AZURE_PRINCIPAL_ID")
    ensure_secrets(tools, told(tools, "STORE_VAULT"), wanted(tools))
    deploy(tools, "secrets")
    postgres, azuresql = told(tools, "STORE_POSTGRES"), told(tools, "STORE_AZURESQL")
    databases.ensure_postgres(tools, postgres["server"], postgres["databases"], principals)
    databases.ensure_azuresql(tools, azuresql["server"], azuresql["databases"], principals)
    entra.ensure_roles(tools, tools.setting("API_CLIENT_ID"), told(tools, "STORE_APP_ROLES"), principals)


def wanted(tools: Tools) -> list[str]:
    """The topology's, and the keys of the functions host."""
    return [*told(tools, "STORE_SECRETS"), *json.loads((HERE / "keys.json").read_text()).values()]


def ensure_secrets(tools: Tools, vault: str, names: list[str]) -> None:
    """Those that are missing are made up, and kept nowhere else."""
    place = ("--vault-name", vault, *tools.subscription())
    known = tools.ask("az", "keyvault", "secret", "list", *place, "--query", "[].name", "--output", "json")
    for name in names:
        if name not in (known or []):
            tools.say(f"Key Vault: {name}")
            with written("" if tools.dry else secrets.token_urlsafe(SECRET_BYTES)) as file:
                what = ("--name", name, "--file", file, "--encoding", "utf-8", "--output", "none")
                tools.do("az", "keyvault", "secret", "set", *place, *what)


def deploy(tools: Tools, name: str) -> str:
    """A Bicep file without parameters; returns its outputs as JSON."""
    tools.say(f"deploys {name}.bicep")
    group = (*tools.subscription(), "--resource-group", tools.setting("AZURE_RESOURCE_GROUP"))
    what = (*group, "--name", name, "--template-file", str(HERE / f"{name}.bicep"))
    query = ("--query", "properties.outputs", "--output", "json")
    return tools.do("az", "deployment", "group", "create", *what, *query, seconds=DEPLOYING_SECONDS)


if __name__ == "__main__":
    sys.exit(run(postprovision, sys.argv[1:]))
