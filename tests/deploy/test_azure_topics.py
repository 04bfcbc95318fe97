"""Topics of Service Bus in Azure: the store has none, so this is tried with a topology that has some."""

from pathlib import Path

import pytest

from tests.deploy import azure_bus_rules, azure_rules
from tests.deploy.azure_bodies import bodies
from tests.deploy.azure_plans import Rule, told
from tests.deploy.azure_slips import MODULES, TOPOLOGY, Slip, copied, told_of

pytestmark = pytest.mark.deploy

TOPICS = """
bus_topics:
  news:
    ttl_seconds: 86400
    duplicate_window_seconds: 600
    subscriptions:
      all: {}
      nothing: {rules: {}}
      urgent:
        lock_seconds: 60
        max_delivery_count: 3
        sessions: true
        ttl_seconds: 3600
        dead_letter_expired: true
        dead_letter_filter_errors: false
        auto_delete_seconds: 86400
        forward_dead_letters_to: orders
        rules:
          is-urgent: {sql: "priority > 5", action: "SET urgent = TRUE"}
          from-orders: {correlation: {Label: order, ReplyTo: us}, properties: {region: eu}}
          of-a-region: {properties: {region: eu}}
          "$Default": {}
  quiet: {status: SendDisabled, max_megabytes: 2048}
"""
RIGHTS = """
      - {role: Azure Service Bus Data Sender, "on": bus-topics/*}
      - {role: Azure Service Bus Data Receiver, "on": bus-topics/news/subscriptions/urgent}
      - {role: Azure Service Bus Data Receiver, "on": bus-topics/news/subscriptions/a*}
"""
BEFORE = '      - {role: EventGrid Data Sender, "on": topics/orders}\n'
RULES: tuple[Rule, ...] = (
    azure_rules.types,
    bodies,
    azure_rules.plans,
    azure_rules.names,
    azure_rules.roles,
    azure_rules.alerts,
    azure_bus_rules.topics,
)


def with_topics(folder: Path) -> Path:
    """The project with these topics and rights."""
    text = (copied(folder) / TOPOLOGY).read_text()
    assert BEFORE in text
    (folder / TOPOLOGY).write_text(text.replace(BEFORE, BEFORE + RIGHTS.lstrip("\n")) + TOPICS)
    return folder


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_topics_with_their_subscriptions_keep_the_rule(rule: Rule, tmp_path: Path) -> None:
    assert told(rule, with_topics(tmp_path)) == ""


IN_BICEP, TOPIC_RULES = MODULES + "topics.bicep", azure_bus_rules.topics
SLIPS = [
    ("a name that is not", IN_BICEP, "lockDuration:", "lockDurations:", bodies, "lockDurations is unknown"),
    ("a number for text", IN_BICEP, "'PT${each.said.?lock_seconds ?? 30}S'", "30", bodies, "lockDuration"),
    ("a lock of another length", IN_BICEP, "lock_seconds ?? 30}S'", "lock_seconds ?? 30}0S'", TOPIC_RULES,
     "subscription news/all: lockDuration is PT300S"),
    ("no sessions", IN_BICEP, "each.said.?sessions ?? false", "false", TOPIC_RULES, "requiresSession is False"),
    ("messages live on", IN_BICEP, "'ttl_seconds') ? 'PT${each.said.ttl_seconds}S' : null", "'x') ? 'PT1S' : null",
     TOPIC_RULES, "subscription news/urgent: defaultMessageTimeToLive is None"),
    ("a topic knows no repeats", IN_BICEP, "requiresDuplicateDetection: contains(topics[name], "
     "'duplicate_window_seconds')", "requiresDuplicateDetection: false", TOPIC_RULES, "requiresDuplicateDetection"),
    ("everything comes as well", IN_BICEP, "union(each.said.rules, nothing)",
     "union(each.said.rules, {})", TOPIC_RULES, "news/nothing/$Default"),
    ("an action is left out", IN_BICEP, "{ sqlExpression: each.said.action }", "null", TOPIC_RULES,
     "its action is None"),
    ("what is correlated is left out", IN_BICEP, "items(each.said.?correlation ?? {})", "items({})", TOPIC_RULES,
     "it takes {'properties': {'region': 'eu'}}, not {'label'"),
    ("names as they are not in Azure", IN_BICEP, "'${toLower(take(property.key, 1))}${skip(property.key, 1)}'",
     "property.key", bodies, "Label"),
    ("a subscription of another topic", IN_BICEP, "parent: topic[indexOf(topicNames, each.topic)]",
     "parent: topic[1]", TOPIC_RULES, "subscriptions: ['news/all'"),
    ("nobody may send", IN_BICEP, "for right in onTopics:", "for right in filter(onTopics, each => false):",
     azure_rules.roles, "too little: orders Azure Service Bus Data Sender bus-topics/news"),
    ("nobody may receive", IN_BICEP, "for right in onSubscriptions:", "for right in filter(onSubscriptions, "
     "each => false):", azure_rules.roles, "bus-topics/news/subscriptions/urgent"),
    ("a topic too few", "deploy/azure/main.bicep", "    topics: busTopics\n", "    topics: {}\n", TOPIC_RULES,
     "topics: ['news', 'quiet']"),
    ("parameters of a filter", TOPOLOGY, 'sql: "priority > 5",', 'sql: "priority > @p", parameters: {"@p": 5},',
     TOPIC_RULES, "write their values into the filter"),
    ("a number is correlated", TOPOLOGY, "of-a-region: {properties: {region: eu}}",
     "of-a-region: {properties: {region: 5}}", TOPIC_RULES, "compare them in a sql filter"),
    ("a key of its own", TOPOLOGY, "  quiet: {status", "  quiet: {policies: {a: {rights: [Send], keys: []}}, status",
     TOPIC_RULES, "policies cannot be deployed"),
]  # fmt: skip


@pytest.mark.parametrize("slip", [Slip(*each) for each in SLIPS], ids=lambda slip: slip.name)
def test_a_slip_is_seen(slip: Slip, tmp_path: Path) -> None:
    assert slip.said in told_of(slip, with_topics(tmp_path))
