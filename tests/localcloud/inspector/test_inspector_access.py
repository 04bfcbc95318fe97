"""The inspector's page is for everybody: names, headings, contrast, narrow screens, no motion; in a real browser."""

from typing import Any

import pytest

from tests.localcloud.inspector.browser import VIEWS, Visit, visiting
from tests.localcloud.inspector.cloud import ORDER, Cloud, fill

pytestmark = pytest.mark.real

EVERY_VIEW = (
    *VIEWS,
    f"orders/{ORDER}",
    "queues/orders/dead",
    "events/process-order",
    "events/process-order/dead",
    "letters/1",
)

NAMELESS = """
[...document.querySelectorAll(
  'button, a, input, select, textarea, summary, [role=region], [role=group], dialog'
)].filter((each) => {
  const label = each.labels?.[0]?.textContent || each.getAttribute('aria-label') || each.textContent
    || document.getElementById(each.getAttribute('aria-labelledby'))?.id
  return !label?.trim()
}).map((each) => each.outerHTML)
"""
TWICE = "[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, at, all) => all.indexOf(id) !== at)"
HEADLESS_CELLS = "[...document.querySelectorAll('th')].filter((each) => !each.scope).length"
HEADINGS = "[...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]))"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
COLOURS = """
Object.fromEntries([...document.styleSheets[0].cssRules[0].style].filter((name) => name.startsWith('--'))
  .map((name) => [name.slice(2), getComputedStyle(document.documentElement).getPropertyValue(name).trim()]))
"""
ON = {  # what is written, or drawn, on what: the contrast that WCAG 2.2 wants
    ("ink", "ground"): 4.5,
    ("ink", "panel"): 4.5,
    ("muted", "ground"): 4.5,
    ("muted", "panel"): 4.5,
    ("accent", "panel"): 4.5,
    ("accent", "ground"): 4.5,
    ("on-accent", "accent"): 4.5,
    ("panel", "ink"): 4.5,
    ("good", "good-ground"): 4.5,
    ("warn", "warn-ground"): 4.5,
    ("warn", "panel"): 4.5,
    ("bad", "bad-ground"): 4.5,
    ("bad", "panel"): 4.5,
    ("edge", "panel"): 3,
    ("edge", "ground"): 3,
}


def ratio(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    light, dark = sorted((_luminance(each) for each in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_colours_have_the_contrast_that_people_need(cloud: Cloud, scheme: Any) -> None:
    async with visiting(cloud.url, color_scheme=scheme) as visit:
        await visit.see("overview")
        colours = await visit.evaluate(COLOURS)

    assert {pair: got for pair, least in ON.items() if (got := ratio(*(colours[each] for each in pair))) < least} == {}


async def test_everything_has_a_name_a_place_and_an_order(cloud: Cloud, visit: Visit) -> None:
    await fill(cloud)

    for view in EVERY_VIEW:
        await visit.see(view)

        assert (await visit.evaluate(NAMELESS), await visit.evaluate(TWICE)) == ([], []), view
        assert await visit.evaluate(HEADLESS_CELLS) == 0
        levels = await visit.evaluate(HEADINGS)
        assert levels[:2] == [1, 2]
        assert set(levels[2:]) <= {3}
        assert await visit.evaluate("document.querySelectorAll('nav a[aria-current=page]').length") == 1
    assert await visit.evaluate("document.documentElement.lang + document.title") == "enLetters · Local cloud"


@pytest.mark.parametrize("width", [320, 640])  # 640: at 200 % a window of 1280
async def test_on_a_narrow_screen_nothing_is_cut_off(cloud: Cloud, width: int) -> None:
    await fill(cloud)
    async with visiting(cloud.url, width=width) as visit:
        for view in EVERY_VIEW:
            await visit.see(view)
            for summary in await visit.page.locator("main summary").all():
                await summary.click()

            assert await visit.evaluate(TOO_WIDE) <= 0, view


async def test_who_wants_no_motion_sees_none(cloud: Cloud) -> None:
    moves = "getComputedStyle(document.getElementById('live'), '::before').animationName"
    async with visiting(cloud.url, reduced_motion="reduce") as visit:
        await visit.see("overview")
        assert await visit.evaluate(moves) == "none"
