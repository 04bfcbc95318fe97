"""What `$management` of a subscription does with its rules, without a socket."""

from typing import Any

import pytest

from localcloud.servicebus import message
from localcloud.servicebus.encoding import Described, Int, Timestamp
from localcloud.servicebus.rulebook import MOST_RULES, Rulebook
from localcloud.topology import Rule
from tests.localcloud.servicebus.peer import NOON, Client

NODE = "amqps://host:1/told/Subscriptions/all/$management"
SUBSCRIPTION = "told/subscriptions/all"
RED = {"sql-filter": {"expression": "colour = 'red'"}}
ALL = {"skip": Int(0), "top": Int(100)}


@pytest.fixture
def rulebook(client: Client) -> Rulebook:
    return Rulebook(client.namespace, SUBSCRIPTION)


async def add(client: Client, name: str, description: Any) -> dict[Any, Any]:
    client.ask_later("add-rule", {"rule-name": name, "rule-description": description}, NODE)
    await client.written()
    return dict(message.read(client.said[-1].payload)[1])


async def test_a_rule_is_added_and_removed(client: Client, rulebook: Rulebook) -> None:
    description = RED | {"sql-rule-action": {"expression": "SET seen = TRUE"}}

    assert (await add(client, "Red", description))["statusCode"] == 200
    assert rulebook.rules == {
        "$Default": Rule(),
        "Red": Rule(sql="colour = 'red'", action="SET seen = TRUE"),
    }


async def test_a_rule_is_removed_by_its_name_in_any_case(client: Client, rulebook: Rulebook) -> None:
    client.ask_later("remove-rule", {"rule-name": "$DEFAULT"}, NODE)
    await client.written()

    assert rulebook.rules == {}


async def test_what_is_correlated_is_kept_by_the_names_that_the_administration_client_uses(
    client: Client, rulebook: Rulebook
) -> None:
    asked = {"label": "order", "reply-to-session-id": "s", "to": None, "properties": {"n": 7, "f": 0.5, "b": True}}

    await add(client, "few", {"correlation-filter": asked})

    rule = rulebook.rules["few"]
    assert rule.correlation == {"Label": "order", "ReplyToSessionId": "s"}
    assert rule.properties == {"n": 7, "f": 0.5, "b": True}


async def test_rules_are_told_in_pages_as_described_lists(client: Client, rulebook: Rulebook) -> None:
    rulebook.add("never", Rule(sql="1=0"))
    rulebook.add("red", Rule(sql="colour = 'red'", action="SET seen = TRUE"))
    rulebook.add("few", Rule(correlation={"Label": "order"}, properties={"n": 7}))

    said, body = client.ask("enumerate-rules", ALL, NODE)
    _, second = client.ask("enumerate-rules", {"skip": Int(1), "top": Int(1)}, NODE)
    nothing, _ = client.ask("enumerate-rules", {"skip": Int(4), "top": Int(1)}, NODE)

    told = [each["rule-description"] for each in body["rules"]]
    assert said["statusCode"] == 200
    assert {each.descriptor for each in told} == {0x13700000004}
    no_action, action = Described(0x13700000005, []), Described(0x13700000006, ["SET seen = TRUE"])
    correlated = [None] * 4 + ["order"] + [None] * 3 + [{"n": 7}]
    assert [each.value for each in told] == [
        [Described(0x1370000007, []), no_action, "$Default", Timestamp(NOON)],
        [Described(0x1370000008, []), no_action, "never", Timestamp(NOON)],
        [Described(0x1370000006, ["colour = 'red'"]), action, "red", Timestamp(NOON)],
        [Described(0x1370000009, correlated), no_action, "few", Timestamp(NOON)],
    ]
    assert [each["rule-description"].value[2] for each in second["rules"]] == ["never"]
    assert nothing["statusCode"] == 204


@pytest.mark.parametrize(
    ("operation", "body", "status", "condition"),
    [
        ("add-rule", {"rule-name": "$default", "rule-description": RED}, 409, "com.microsoft:entity-already-exists"),
        ("add-rule", {"rule-name": "r"}, 400, "com.microsoft:argument-error"),
        ("add-rule", {"rule-name": "a/b", "rule-description": RED}, 400, "com.microsoft:argument-error"),
        ("add-rule", {"rule-name": "r" * 51, "rule-description": RED}, 400, "com.microsoft:argument-error"),
        ("add-rule", {"rule-name": "r", "rule-description": {}}, 400, "com.microsoft:argument-error"),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": {"sql-filter": {"expression": "a = = 1"}}},
            400,
            "com.microsoft:argument-error",
        ),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": RED | {"sql-rule-action": {"expression": "SET nothing"}}},
            400,
            "com.microsoft:argument-error",
        ),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": RED | {"correlation-filter": {"label": "l"}}},
            400,
            "com.microsoft:argument-error",
        ),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": {"correlation-filter": {"label": 5}}},
            400,
            "com.microsoft:argument-error",
        ),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": {"correlation-filter": {"properties": {"x": [1]}}}},
            400,
            "com.microsoft:argument-error",
        ),
        *(
            (
                "add-rule",
                {"rule-name": "r", "rule-description": {"correlation-filter": {"properties": {"x": number}}}},
                400,
                "com.microsoft:argument-error",
            )
            for number in (float("nan"), float("inf"))  # which JSON cannot keep: the broker would not start again
        ),
        ("remove-rule", {"rule-name": "nope"}, 404, "amqp:not-found"),
        ("enumerate-rules", {"skip": "x"}, 400, "com.microsoft:argument-error"),
    ],
)
async def test_a_request_that_fails_says_why_and_changes_nothing(
    client: Client, rulebook: Rulebook, operation: str, body: Any, status: int, condition: str
) -> None:
    said, _ = client.ask(operation, body, NODE)

    assert (said["statusCode"], said["errorCondition"]) == (status, condition)
    assert rulebook.rules == {"$Default": Rule()}


async def test_there_are_as_many_rules_as_azure_has_at_most(client: Client, rulebook: Rulebook) -> None:
    for number in range(MOST_RULES - 1):
        rulebook.add(f"r-{number}", Rule())

    said, _ = client.ask("add-rule", {"rule-name": "one-more", "rule-description": RED}, NODE)

    assert said["statusCode"] == 400


@pytest.mark.parametrize(("claim", "status"), [("Send", 401), ("Listen", 200)])
async def test_who_may_listen_may_see_the_rules(client: Client, claim: str, status: int) -> None:
    client.peer.rights[SUBSCRIPTION] = frozenset({claim})
    client.peer.rights["told"] = frozenset()

    said, _ = client.ask("enumerate-rules", ALL, NODE)

    assert said["statusCode"] == status


async def test_a_queue_has_no_rules(client: Client) -> None:
    said, _ = client.ask("enumerate-rules", ALL)

    assert said["statusCode"] == 501
