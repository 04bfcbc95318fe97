"""What a program does at the inspector: it reads the token in the page, and acts."""

import re
from typing import Any

import aiohttp
import msgspec

TOKEN = re.compile(r'name="token" content="([^"]+)"')
TIMEOUT = aiohttp.ClientTimeout(total=30)


async def act(inspector: str, name: str, body: Any) -> str:
    """What the inspector says of it. Raises aiohttp.ClientResponseError where it refuses."""
    async with aiohttp.ClientSession(inspector, raise_for_status=True, timeout=TIMEOUT) as session:
        async with session.get("/") as page:
            token = TOKEN.search(await page.text())
        assert token, "there is no token in the page"
        headers = {"X-Inspector-Token": token[1], "Content-Type": "application/json"}
        async with session.post(f"/api/{name}", data=msgspec.json.encode(body), headers=headers) as answer:
            return str((await answer.json())["said"])
