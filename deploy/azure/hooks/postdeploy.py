"""Once the apps run: Event Grid calls the functions, and then the door is opened."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from deploy.azure.hooks.postprovision import deploy
from deploy.azure.hooks.tools import Tools, run


def postdeploy(tools: Tools) -> None:
    """In this order: nobody can order before the functions hear of it."""
    deploy(tools, "subscriptions")
    outputs = deploy(tools, "routes")
    if outputs:
        address = json.loads(outputs)["address"]["value"]
        tools.keep("STORE_ADDRESS", address)
        tools.say(f"The store answers at {address}")


if __name__ == "__main__":
    sys.exit(run(postdeploy, sys.argv[1:]))
