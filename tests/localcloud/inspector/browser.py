"""A Chromium that is on this machine already, driven by Playwright."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = 10_000
VIEWS = ("overview", "orders", "events", "queues", "functions", "letters", "secrets")


def why_not() -> str:
    """Empty where pages can be looked at."""
    if not find_spec("playwright"):
        return "Playwright is missing: install the group `browser` (make test does)"
    return "" if _executable() else "there is no Chromium on this machine (apt install chromium)"


def _executable() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def expect(locator: "Locator") -> Any:
    """Waits for what is said of it."""
    from playwright.async_api import expect

    return expect(locator, None)


@dataclass(slots=True)
class Visit:
    """One person's look at the page, and all that went wrong meanwhile."""

    page: "Page"
    url: str
    wrong: list[str] = field(default_factory=list)

    async def see(self, view: str) -> None:
        await self.page.goto(f"{self.url}/#/{view}")
        await self.drawn()

    async def drawn(self) -> None:
        await expect(self.page.locator("main[aria-busy=false] h2")).to_be_visible()
        await expect(self.page.locator("main")).not_to_contain_text("reading …")

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def tab_to(self, name: str) -> None:
        """With the keyboard alone, as far as a person would go."""
        for _ in range(60):
            await self.page.keyboard.press("Tab")
            if (await self.focused()).startswith(name):
                return
        raise AssertionError(f"no way to {name!r} by Tab")

    async def focused(self) -> str:
        return str(await self.page.evaluate(FOCUSED))

    async def says(self, text: str) -> None:
        await expect(self.page.locator("#said")).to_contain_text(text)

    def has(self, text: str) -> "Locator":
        return self.page.locator("main").get_by_text(text)

    async def evaluate(self, script: str) -> Any:
        return await self.page.evaluate(script)


FOCUSED = "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"


@asynccontextmanager
async def visiting(url: str, *, width: int = 1280, **look: Any) -> AsyncIterator[Visit]:
    if reason := why_not():
        pytest.skip(reason)
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=_executable(), args=["--no-sandbox"])
        page = await chromium.new_page(viewport={"width": width, "height": 900}, **look)
        page.set_default_timeout(PATIENCE_MS)
        visit = Visit(page, url)
        page.on("console", lambda said: visit.wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: visit.wrong.append(str(error)))
        try:
            yield visit
        finally:
            await chromium.close()
