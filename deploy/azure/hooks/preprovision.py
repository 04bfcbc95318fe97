"""Before the platform is made: are the tools and the parameters there, and does Entra know the store's API?"""

import sys
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - azd takes whichever it finds
    sys.exit(f"The hooks need Python 3.11 or newer; azd has found {sys.version.split()[0]}")
sys.path.insert(0, str(Path(__file__).parents[3]))

from deploy.azure.hooks import entra
from deploy.azure.hooks.account import ensure_account, ensure_operator
from deploy.azure.hooks.tools import Failed, Tools, run

ENGINES = ("postgres", "azuresql", "tables", "cosmos")
SERVICES = ("catalog", "orders", "customers")
NEEDED = ("AZURE_ENV_NAME", "AZURE_SUBSCRIPTION_ID", "AZURE_LOCATION", "MAIL_URL", "MAIL_FROM", "PAYMENTS_URL")
CLIENTS = {
    "postgres": ("psql", "PostgreSQL's client, from the package postgresql-client"),
    "azuresql": ("sqlcmd", "go-sqlcmd, https://aka.ms/go-sqlcmd"),
}


def flaws(tools: Tools) -> list[str]:
    """All at once, so that nobody mends them one by one."""
    found = [f"{name} is not set: azd env set {name} <value>" for name in NEEDED if not tools.environment.get(name)]
    engines = {name: tools.environment.get(f"{name.upper()}_ENGINE") or "postgres" for name in SERVICES}
    for name, engine in engines.items():
        if engine not in ENGINES:
            found.append(f"{name.upper()}_ENGINE={engine} is unknown: it is one of {', '.join(ENGINES)}")
    for engine, (client, origin) in CLIENTS.items():
        if engine in engines.values() and not tools.has(client):
            found.append(f"{client} is needed for {engine} and not on PATH: {origin}")
    found += flaws_of_address(tools.environment.get("OPERATOR_ADDRESS", ""), engines.values())
    found += [f"{each} is not on PATH" for each in ("az", "azd", "curl") if not tools.has(each)]
    return found


def flaws_of_address(address: str, engines: Collection[str]) -> list[str]:
    """A database lets in one address from outside Azure, and from it the hooks say who else may enter."""
    entered = " and ".join(engine for engine in CLIENTS if engine in engines)
    if not entered:
        return []
    if not address:
        setting = "azd env set OPERATOR_ADDRESS <your public IPv4 address>"
        return [f"OPERATOR_ADDRESS is not set, and nobody could tell {entered} who may enter: {setting}"]
    try:
        IPv4Address(address)
    except AddressValueError:
        return [f"OPERATOR_ADDRESS={address} is no IPv4 address, and a database's firewall takes nothing else"]
    return []


def preprovision(tools: Tools) -> None:
    found = flaws(tools)
    if found and not tools.dry:
        raise Failed("\n".join(found))
    for flaw in found:
        tools.say(f"would refuse: {flaw}")
    ensure_operator(tools, ensure_account(tools)["user"])
    entra.ensure_scope(tools, tools.environment.get("API_CLIENT_ID") or registered(tools))


def registered(tools: Tools) -> str:
    name = f"store-{tools.setting('AZURE_ENV_NAME')}"
    tools.say(f"Entra: the API {name}")
    client_id = entra.ensure_api(tools, name)
    tools.keep("API_CLIENT_ID", client_id)
    return client_id


if __name__ == "__main__":
    sys.exit(run(preprovision, sys.argv[1:]))
