"""What the functions talk to: one HTTP session, one credential, one way for letters, for all their calls."""

from dataclasses import dataclass
from functools import cache

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import DefaultAzureCredential

from functions.mail import Mail, open_mail
from functions.mail.once import Once
from functions.settings import Settings

# Event Grid waits 30 s for a function. The longest one asks for a token, then for a customer, then posts a letter, then
# sends a command, to which host.json gives 2 x 5: 5 + 5 + 9 + 10.
TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)


@dataclass(frozen=True, slots=True)
class Connections:
    settings: Settings
    session: aiohttp.ClientSession
    credential: AsyncTokenCredential
    mail: Mail


@cache
def connections(told: Settings) -> Connections:
    """Opened by the first call, on the loop that all calls share. The process owns them, from then to its end: a
    function app is told of neither its start nor its stop.
    """
    credential = DefaultAzureCredential()
    mail = Once(open_mail(told.mail_url, told.mail_password, credential))
    return Connections(told, aiohttp.ClientSession(timeout=TIMEOUT), credential, mail)
