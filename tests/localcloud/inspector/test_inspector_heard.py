"""What a screen reader is told of each part: roles, names and order, as Chromium's accessibility tree has them."""

import pytest

from tests.localcloud.inspector.browser import VIEWS, Visit, expect
from tests.localcloud.inspector.cloud import ORDER, Cloud, fill

pytestmark = pytest.mark.real

AROUND = """
- link "Skip to content"
- banner:
  - heading "Local cloud" [level=1]
  - button "Hold still"
- navigation "Parts":
  - list:
    - listitem:
      - link "Overview"
    - listitem:
      - link "Orders"
    - listitem:
      - link /^Event Grid/
    - listitem:
      - link /^Service Bus/
    - listitem:
      - link "Functions"
    - listitem:
      - link "Letters"
    - listitem:
      - link "Secrets"
- main:
  - heading [level=2]
"""
PARTS = {
    "overview": """
- heading "Overview" [level=2]
- list:
  - listitem:
    - link "0 events to deliver"
- region "What wants a look":
  - heading "What wants a look" [level=3]
  - list:
    - listitem:
      - link "Look at those of orders"
    - listitem:
      - link "Look at those of process-order"
- region "Recent orders":
  - group "Recent orders, scrolls sideways":
    - table "Recent orders":
      - rowgroup:
        - row "Came in Order Answered"
""",
    f"orders/{ORDER}": """
- heading "Orders" [level=2]
- region "Find an order":
  - search:
    - textbox "Order or trace id"
    - button "Show its way"
- region "Its way":
  - region "Sequence, scrolls sideways":
    - img /4 steps between customer, orders, process_order, catalog, notify_customer/
  - list:
    - listitem:
      - strong: orders
""",
    "events": """
- heading "Event Grid" [level=2]
- region "Subscriptions":
  - group "Subscriptions, scrolls sideways":
    - table "Subscriptions":
      - rowgroup:
        - row /Subscription State Pending/:
          - columnheader "Subscription"
          - columnheader "State"
          - columnheader "Pending"
          - columnheader "Delivered"
          - columnheader "Retried"
          - columnheader "Dead"
          - columnheader "Last attempt"
          - columnheader "Next attempt"
          - columnheader "Do"
      - rowgroup:
        - row /process-order/:
          - rowheader /process-order/
          - cell "delivers"
          - cell "1 dead letter of process-order":
            - link "1 dead letter of process-order"
          - cell /Pause/:
            - button "Pause process-order"
- region "Publish an event":
  - combobox "Topic"
  - textbox "CloudEvent, as JSON"
  - button "Publish"
- region "Faults":
  - spinbutton /^duplicate/
  - spinbutton /^delay/
  - spinbutton /^reorder/
  - spinbutton /^fail/
  - spinbutton /^drop/
  - spinbutton /^time_scale/
  - spinbutton /^seed/
  - button "Apply"
  - button "Switch all off"
""",
    "events/process-order": """
- region "Waiting for process-order":
  - heading "Waiting for process-order" [level=3]
  - link "Its dead letters"
  - paragraph: Nothing waits.
""",
    "events/process-order/dead": """
- region "Dead letters of process-order":
  - heading "Dead letters of process-order" [level=3]
  - link "What waits for it"
  - button "Send all again"
  - button "Throw all away"
  - group:
    - text: /MaxDeliveryAttemptsExceeded/
    - term: Last answer
    - definition: NotFound
    - term: Attempts
    - definition: "30"
    - term: Event
    - definition: e-1
    - region "Body"
    - button "Send again e-1"
    - button "Throw away e-1"
""",
    "queues/orders/dead": """
- heading "Service Bus" [level=2]
- region "Queues, topics, subscriptions":
  - group "Queues, topics, subscriptions, scrolls sideways":
    - table "Queues, topics, subscriptions":
      - rowgroup:
        - row "Name Active Locked Scheduled Deferred Dead Stuck Oldest"
      - rowgroup:
        - row /^orders queue/:
          - cell "1 dead letter of orders":
            - link "1 dead letter of orders"
- region "Dead letters of orders":
  - link "Its messages"
  - link "What it could not forward"
  - button "Throw all away"
  - group:
    - text: /broken poison/
    - region "Body"
    - 'button "Send again #1"'
""",
    "functions": """
- heading "Functions" [level=2]
- region "Functions and their last calls":
  - text: host answers
  - group "Functions, scrolls sideways":
    - table "Functions":
      - rowgroup:
        - row "Function Last calls"
      - rowgroup:
        - row /process_order/:
          - rowheader /process_order/
          - cell:
            - list:
              - listitem:
                - group: /12.5 ms/
              - listitem:
                - group: /failed/
""",
    "letters/1": """
- heading "Letters" [level=2]
- region "Hello":
  - term: To
  - definition: ada@x.example
  - region "Text": Dear Ada
- region "The newest":
  - group "Letters, scrolls sideways":
    - table "Letters":
      - rowgroup:
        - row "Received Letter Repeats"
      - rowgroup:
        - row /Hello/:
          - rowheader /Hello/:
            - link "Hello"
""",
    "secrets": """
- heading "Secrets" [level=2]
- region "In Key Vault":
  - group "Secrets, scrolls sideways":
    - table "Secrets":
      - rowgroup:
        - row "Name Changed"
      - rowgroup:
        - row /orders-key/:
          - rowheader "orders-key"
""",
}
TWICE = """
(() => {
  const names = (each) => each.getAttribute('aria-label') || each.textContent
  const said = [...document.querySelectorAll('main button')].map(names)
  return said.filter((each, at) => said.indexOf(each) !== at)
})()
"""


def test_each_part_is_looked_at() -> None:
    assert {view.partition("/")[0] for view in PARTS} == set(VIEWS)


@pytest.mark.parametrize("view", PARTS)
async def test_each_part_is_told_by_roles_and_names(cloud: Cloud, visit: Visit, view: str) -> None:
    await fill(cloud)
    await visit.see(view)
    for details in await visit.page.locator("main details").all():
        await details.locator("summary").first.click()

    await expect(visit.page.locator("body")).to_match_aria_snapshot(AROUND)
    await expect(visit.page.locator("main")).to_match_aria_snapshot(PARTS[view])
    assert await visit.evaluate(TWICE) == []


async def test_who_is_asked_whether_they_are_sure_hears_of_what(cloud: Cloud, visit: Visit) -> None:
    await cloud.bury("e-1")
    await visit.see("events/process-order/dead")

    await visit.page.get_by_role("button", name="Throw all away").click()

    await expect(visit.page.get_by_role("dialog")).to_match_aria_snapshot("""
- dialog /Throw away all dead letters of process-order/:
  - paragraph: /That can't be undone/
  - button "Keep it"
  - button "Yes, throw away"
""")
