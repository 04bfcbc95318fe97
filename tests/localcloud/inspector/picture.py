"""Draws docs/localcloud/inspector.png: the last order of the store that runs. `make inspector-picture`"""

import argparse
import asyncio
from pathlib import Path

import aiohttp

from localcloud import runfile
from localcloud.store import PROJECT, state_folder
from tests.localcloud.inspector.browser import expect, visiting

PICTURE = PROJECT / "docs/localcloud/inspector.png"


async def draw(inspector: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{inspector}/api/orders") as answer:
        last = (await answer.json())[0]["trace"]
    async with visiting(inspector, reduced_motion="reduce", color_scheme="light") as visit:
        await visit.see(f"orders/{last}")
        await expect(visit.page.locator("svg")).to_be_visible()
        await visit.page.screenshot(path=PICTURE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path)
    asyncio.run(draw(runfile.running(state_folder(parser.parse_args().state)).addresses["inspector"]))
