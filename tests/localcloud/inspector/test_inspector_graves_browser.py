"""Event Grid's dead letters in the browser: looked at, sent again, thrown away."""

import pytest

from tests.localcloud.eventgrid.grid import Functions
from tests.localcloud.inspector.browser import Visit, expect
from tests.localcloud.inspector.cloud import Cloud

pytestmark = pytest.mark.real

HOSTILE = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script><b>bold</b>\'"&amp;'


async def test_event_grids_dead_letter_is_sent_again_by_the_keyboard_alone(
    cloud: Cloud, visit: Visit, functions: Functions
) -> None:
    await cloud.bury("e-1")
    await visit.see("overview")

    await visit.tab_to("Look at those of process-order")
    await visit.press("Enter")
    await expect(visit.has("Dead letters of process-order")).to_be_visible()
    await visit.page.wait_for_selector("main details")
    while await visit.evaluate("document.activeElement.tagName") != "SUMMARY":
        await visit.press("Tab")
    await visit.press("Enter")
    await expect(visit.has("MaxDeliveryAttemptsExceeded")).to_be_visible()
    await visit.tab_to("Send again")
    await visit.press("Enter")

    await visit.says("1 sent to process-order again.")
    await expect(visit.has("No dead letters.")).to_be_visible()
    assert (await functions.next()).function == "process_order"


async def test_event_grids_dead_letters_are_thrown_away_only_by_who_is_sure(cloud: Cloud, visit: Visit) -> None:
    await cloud.bury("e-1")
    await cloud.bury("e-2")
    await visit.see("events/process-order/dead")

    await visit.tab_to("Throw all away")
    await visit.press("Enter")
    await expect(visit.page.get_by_role("dialog")).to_contain_text("all dead letters of process-order")
    assert await visit.focused() == "Keep it"
    await visit.press("Enter")
    assert len(await cloud.graves()) == 2
    await visit.tab_to("Throw all away")
    await visit.press("Enter", "Tab")
    assert await visit.focused() == "Yes, throw away"
    await visit.press("Enter")

    await visit.says("2 of process-order thrown away.")
    await expect(visit.has("No dead letters.")).to_be_visible()
    assert await cloud.graves() == []


async def test_one_dead_letter_is_thrown_away_and_the_others_sent_again_by_the_keyboard_alone(
    cloud: Cloud, visit: Visit, functions: Functions
) -> None:
    await cloud.bury("e-1")
    await visit.see("events/process-order/dead")

    await visit.page.locator("main details").wait_for()
    while await visit.evaluate("document.activeElement.tagName") != "SUMMARY":
        await visit.press("Tab")
    await visit.press("Enter")
    await visit.tab_to("Throw away e-1")
    await cloud.bury("e-2")
    await visit.press("Enter")
    await expect(visit.page.get_by_role("dialog")).to_contain_text("this dead letter of process-order")
    await visit.press("Tab", "Enter")
    await visit.says("1 of process-order thrown away.")
    await visit.tab_to("Send all again")
    await visit.press("Enter")

    await visit.says("1 sent to process-order again.")
    assert (b"e-2" in (await functions.next()).body, functions.received.empty()) == (True, True)


async def test_what_storage_does_not_tell_is_unknown(cloud: Cloud, visit: Visit) -> None:
    async with cloud.without_storage():
        await visit.see("events/process-order/dead")

        await expect(visit.has("storage can't be reached")).to_be_visible()
        await expect(
            visit.page.get_by_role("row", name="process-order").get_by_title("Storage does not answer")
        ).to_have_text("?")
