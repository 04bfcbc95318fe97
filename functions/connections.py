"""What the functions talk to: one HTTP session and one credential for all of them and all their calls."""

from dataclasses import dataclass
from functools import cache

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from functions.settings import Settings

# Event Grid waits 30 s for a function. The longest one asks for a token, then for a customer, then posts a letter:
# 5 + 5 + 15. Where a command is sent instead, host.json gives that 2 x 5.
TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)


@dataclass(frozen=True, slots=True)
class Connections:
    settings: Settings
    session: aiohttp.ClientSession
    credential: AsyncTokenCredential


@cache
def connections(told: Settings) -> Connections:
    """Opened by the first call, on the loop that all calls share. The process owns them, from then to its end: a
    function app is told of neither its start nor its stop.
    """
    return Connections(told, aiohttp.ClientSession(timeout=TIMEOUT), DefaultAzureCredential())
