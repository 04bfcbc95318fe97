"""Once the apps run: Event Grid calls the functions, and then the door is opened."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from deploy.azure.hooks.postprovision import deploy
from deploy.azure.hooks.tools import Failed, Tools, run

# They refuse a stranger once they are loaded; the host by itself says 404.
ASKED, REFUSED = "/api/customer-data/00000000-0000-4000-8000-000000000000", "401"


def postdeploy(tools: Tools) -> None:
    """In this order: nobody can order before the functions hear of it."""
    tools.say("waits for the functions, which Event Grid will want an answer from")
    tools.wait(lambda: lacking(tools))
    deploy(tools, "subscriptions")
    outputs = deploy(tools, "routes")
    if outputs:
        address = json.loads(outputs)["address"]["value"]
        tools.keep("STORE_ADDRESS", address)
        tools.say(f"The store answers at {address}")


def lacking(tools: Tools) -> str:
    """Why they can't be called yet; azd does not wait for a revision to run."""
    app = ("--name", "functions", "--resource-group", tools.setting("AZURE_RESOURCE_GROUP"), *tools.subscription())
    query = ("--query", "properties.[latestRevisionName, configuration.ingress.fqdn]", "--output", "json")
    revision, host = tools.ask("az", "containerapp", "show", *app, *query) or ("<revision>", "<host>")
    query = ("--query", "properties.[runningState, healthState]", "--output", "json")
    found = tools.ask("az", "containerapp", "revision", "show", *app, "--revision", revision, *query) or (None, None)
    running, health = (each or "?" for each in found)
    if not (running.startswith("Running") and health == "Healthy"):
        return f"{revision} is {running} and {health}"
    said = answer(tools, f"https://{host}{ASKED}")
    return "" if said == REFUSED else f"https://{host} answers {said}, not yet {REFUSED}"


def answer(tools: Tools, url: str) -> str:
    quiet = ("--silent", "--show-error", "--max-time", "10", "--output", os.devnull, "--write-out", "%{http_code}")
    try:
        return tools.do("curl", *quiet, url)
    except Failed as failed:
        return str(failed)


if __name__ == "__main__":
    sys.exit(run(postdeploy, sys.argv[1:]))
