"""The inspector's page in a real browser: what a person sees, hears and does."""

import pytest
from azure.servicebus import ServiceBusMessage

from localcloud.servicebus.broker import Envelope
from localcloud.topology import Queue
from tests.localcloud.eventgrid.grid import event
from tests.localcloud.inspector.browser import Visit, expect
from tests.localcloud.inspector.cloud import NOON, ORDER, TRACE, Cloud, fill, write_a_story
from tests.waiting import until

pytestmark = pytest.mark.real

HOSTILE = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script><b>bold</b>\'"&amp;'


async def test_every_part_is_drawn_and_the_console_stays_silent(cloud: Cloud, visit: Visit) -> None:
    await fill(cloud)
    shown = {
        "overview": "1 dead letter of orders",
        f"orders/{ORDER}": "reserve-stock",
        "events": "process-order",
        "queues/orders/dead": "broken",
        "events/process-order/dead": "MaxDeliveryAttemptsExceeded",
        "functions": "12.5 ms",
        "letters/1": "Dear Ada",
        "secrets": "orders-key",
    }

    for view, text in shown.items():
        await visit.see(view)
        await expect(visit.has(text).first).to_be_visible()

    assert visit.wrong == []


async def test_where_there_is_nothing_the_page_says_so(visit: Visit) -> None:
    for view, text in {
        "overview": "Nothing: all is delivered",
        "orders": "no order yet",
        "letters": "No letter yet",
    }.items():
        await visit.see(view)
        await expect(visit.has(text).first).to_be_visible()
    await visit.see("queues/nowhere/main")
    await expect(visit.has("could not be found")).to_be_visible()
    await visit.see(f"orders/{TRACE}")
    await expect(visit.has("No log tells of it")).to_be_visible()


async def test_what_a_message_says_is_shown_and_never_done(cloud: Cloud, visit: Visit) -> None:
    message = ServiceBusMessage(
        HOSTILE, subject=HOSTILE, message_id=HOSTILE[:120], application_properties={HOSTILE: HOSTILE}
    )
    await cloud.dead_letter(message, reason=HOSTILE)
    subject = HOSTILE.replace("\n", "").encode()
    await cloud.letters.keep(b"Subject: " + subject + b"\r\n\r\n" + subject, HOSTILE, [HOSTILE], NOON)

    for view in ("queues/orders/dead", "letters/1", "overview"):
        await visit.see(view)
        for details in await visit.page.locator("main details").all():
            await details.locator("summary").first.click()
        assert await visit.evaluate("window.harmed ?? null") is None
        assert await visit.evaluate("document.querySelectorAll('main img, main script, main b').length") == 0
    await visit.see("queues/orders/dead")
    await expect(visit.page.locator("summary .grow")).to_have_text(HOSTILE)
    assert visit.wrong == []


async def test_a_dead_letter_is_sent_again_by_the_keyboard_alone(cloud: Cloud, visit: Visit) -> None:
    await cloud.dead_letter(ServiceBusMessage("once more", subject="broken"))
    await visit.see("overview")

    await visit.press("Tab")
    assert await visit.focused() == "Skip to content"
    await visit.press("Enter")
    await visit.tab_to("Look at those of orders")
    await visit.press("Enter")
    await expect(visit.has("Dead letters of orders")).to_be_visible()
    assert await visit.evaluate("document.activeElement.id") == "main"
    await visit.page.wait_for_selector("main details")
    while await visit.evaluate("document.activeElement.tagName") != "SUMMARY":
        await visit.press("Tab")
    assert await visit.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await visit.press("Enter")
    await visit.tab_to("Send again")
    await visit.press("Enter")

    await visit.says("is in orders again")
    await expect(visit.has("No dead letters.")).to_be_visible()
    assert (await cloud.entity("orders"))["active"] == 1


async def test_what_could_not_be_forwarded_is_found_and_sent_again(cloud: Cloud, visit: Visit) -> None:
    namespace = cloud.broker.namespace
    await namespace.create("there", Queue(forward_to="back"))
    await namespace.create("back", Queue(forward_to="there"))
    await cloud.broker.send("there", b"once more", Envelope("m-1"))
    await namespace.change("back", Queue())
    await visit.see("overview")

    await visit.page.get_by_role("link", name="Look at what there could not forward").click()
    await visit.page.locator("main details summary").click()
    await visit.page.get_by_role("button", name="Send again").click()

    await visit.says("is in there again")
    assert ((await cloud.entity("there"))["stuck"], (await cloud.entity("back"))["active"]) == (0, 1)
    assert visit.wrong == []


async def test_a_queue_is_purged_only_by_who_is_sure(cloud: Cloud, visit: Visit) -> None:
    await cloud.send(ServiceBusMessage("one"), ServiceBusMessage("two"))
    await visit.see("queues/orders/main")

    await visit.page.get_by_role("button", name="Throw all away").click()
    await expect(visit.page.get_by_role("dialog")).to_contain_text("all messages of orders")
    assert await visit.focused() == "Keep it"
    await visit.press("Escape")
    assert (await cloud.entity("orders"))["active"] == 2

    await visit.page.get_by_role("button", name="Throw all away").click()
    await visit.page.get_by_role("button", name="Yes, throw away").click()
    await visit.says("2 messages of orders thrown away")
    assert (await cloud.entity("orders"))["active"] == 0


async def test_a_subscription_is_paused_and_resumed(cloud: Cloud, visit: Visit) -> None:
    await visit.see("events")

    await visit.page.get_by_role("row", name="process-order").get_by_role("button", name="Pause").click()
    await visit.says("process-order is paused")
    assert (await cloud.subscription("process-order"))["status"] == "paused"
    await visit.page.get_by_role("row", name="process-order").get_by_role("button", name="Resume").click()
    await visit.says("process-order goes on")

    assert (await cloud.subscription("process-order"))["status"] == "active"


async def test_an_event_is_published_and_a_fault_switched_on_and_off(cloud: Cloud, visit: Visit) -> None:
    await visit.see("events")

    await visit.page.get_by_label("CloudEvent").fill("{nonsense")
    await visit.page.get_by_role("button", name="Publish").click()
    await visit.says("Not done: ")
    await visit.page.reload()
    await visit.drawn()
    await visit.page.get_by_role("button", name="Publish").click()
    await visit.says("Published on catalog")
    await until(lambda: cloud.entity("orders"), lambda orders: orders["active"] == 1)
    await visit.page.get_by_label("fail").fill("0.5")
    await visit.page.get_by_role("button", name="Apply").click()
    await visit.says("faults happen")

    assert (await cloud.overview())["conditions"]["fail"] == 0.5
    await visit.page.get_by_role("button", name="Switch all off").click()
    await visit.says("as it should be")


async def test_what_comes_appears_while_what_is_open_or_typed_stays(cloud: Cloud, visit: Visit) -> None:
    await cloud.send(ServiceBusMessage("first body", subject="first"))
    await visit.see("queues/orders/main")
    await visit.page.locator("summary", has_text="first").click()
    await visit.page.locator("summary", has_text="first").focus()

    await cloud.send(ServiceBusMessage("second body", subject="second"))

    await expect(visit.page.locator("summary", has_text="second")).to_be_visible()
    await expect(visit.has("first body")).to_be_visible()
    assert "first" in await visit.focused()
    await visit.see("orders")
    await visit.page.get_by_label("Order or trace id").fill("half an id")
    write_a_story(cloud.logs)
    await expect(visit.page.get_by_role("link", name=ORDER)).to_be_visible()
    await expect(visit.page.get_by_label("Order or trace id")).to_have_value("half an id")


async def test_a_new_dead_letter_is_said_aloud_and_nothing_else_is(cloud: Cloud, visit: Visit) -> None:
    await visit.see("overview")
    assert await visit.evaluate("document.querySelectorAll('[aria-live], [role=status], [role=alert]').length") == 1

    await cloud.send(ServiceBusMessage("quiet"))
    await expect(visit.page.locator(".tiles li", has_text="messages waiting").locator("strong")).to_have_text("1")
    assert await visit.evaluate("document.getElementById('said').textContent") == ""
    await cloud.dead_letter(ServiceBusMessage("loud"))

    await visit.says("1 new dead letter.")


async def test_an_orders_way_is_drawn_and_told_in_words(cloud: Cloud, visit: Visit) -> None:
    write_a_story(cloud.logs)
    await visit.see("orders")

    await visit.page.get_by_label("Order or trace id").fill(ORDER.upper())
    await visit.press("Enter")

    drawing = visit.page.locator("svg[role=img]")
    await expect(drawing).to_be_visible()
    assert await drawing.locator("text.name").all_text_contents() == [
        *("customer", "orders", "process_order", "catalog", "notify_customer"),
    ]
    assert await drawing.locator("path.arrow").count() == await visit.page.locator(".steps li").count() == 4
    assert "4 steps between customer, orders" in (await drawing.get_attribute("aria-label") or "")


async def test_a_drawing_names_what_was_told_not_what_a_log_calls_it(cloud: Cloud, visit: Visit) -> None:
    write_a_story(cloud.logs)

    await visit.see(f"orders/{ORDER}")

    said = await visit.page.locator("svg text.said").all_text_contents()
    assert sorted(said) == ["POST /api/orders", "order-confirmed", "order-placed", "reserve-stock"]
    await expect(visit.page.locator(".steps")).to_contain_text("(order-placed, by Event Grid)")


async def test_functions_whose_host_is_away_are_unknown_and_not_none(cloud: Cloud, visit: Visit) -> None:
    (cloud.inspector.sources.host.keys / "host.master").write_text("another")

    await visit.see("functions")
    await expect(visit.has("Unknown: the functions host does not answer.")).to_be_visible()
    await visit.see("overview")

    await expect(visit.page.locator(".tiles a", has_text="functions: unknown")).to_contain_text("?")


async def test_a_host_that_tells_no_calls_is_said_to_be_silent(cloud: Cloud, visit: Visit) -> None:
    del cloud.host.told["calls"]

    await visit.see("functions")

    await expect(visit.has("unknown: the host does not tell")).to_be_visible()


async def test_of_a_subscription_the_last_attempt_and_its_answer_are_shown(cloud: Cloud, visit: Visit) -> None:
    async with cloud.grid.topic("orders") as topic:
        await topic.send(event())

    await visit.see("events")

    row = visit.page.get_by_role("row", name="process-order")
    await expect(row).to_contain_text("Delivered 202")
    await expect(row.locator("time")).to_have_count(1)


async def test_times_are_said_as_people_do_and_exactly(cloud: Cloud, visit: Visit) -> None:
    await fill(cloud)
    await visit.see("letters")

    time = visit.page.locator("main tbody time").first

    assert (await time.get_attribute("datetime"), await time.get_attribute("title")) == (
        "2026-06-01T12:00:00Z",
        "2026-06-01 12:00:00.000 UTC",
    )
    assert (await time.text_content() or "").endswith((" ago", "in "))


async def test_while_the_cloud_is_away_the_page_says_so_and_comes_back(cloud: Cloud, visit: Visit) -> None:
    await fill(cloud)
    await visit.see("overview")
    live = visit.page.locator("#live")

    await cloud.server.close()
    await expect(live).to_have_text("not reached, trying again")
    await expect(visit.has("1 dead letter of orders")).to_be_visible()
    await cloud.serve()

    await expect(live).to_have_text("live")


async def test_who_holds_still_is_shown_nothing_new_until_they_go_on(cloud: Cloud, visit: Visit) -> None:
    await visit.see("overview")
    hold = visit.page.get_by_role("button", name="Hold still")

    await hold.click()
    await expect(hold).to_have_attribute("aria-pressed", "true")
    await expect(visit.page.locator("#live")).to_have_text("held still")
    await cloud.send(ServiceBusMessage("later"))
    await hold.click()

    await expect(visit.page.locator(".tiles li", has_text="messages waiting").locator("strong")).to_have_text("1")
