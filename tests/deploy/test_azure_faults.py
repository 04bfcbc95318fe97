"""Slips of the kind that people make in the platform's Bicep, and that the rules see each of them."""

from pathlib import Path

import pytest

pytest.importorskip("tree_sitter_bicep", reason="tree-sitter-bicep is not installed: `uv sync --group deploy`")
pytest.importorskip("jsonschema", reason="jsonschema is not installed: `uv sync --group deploy`")

from tests.deploy import azure_app_rules as app
from tests.deploy import azure_rules as platform
from tests.deploy.azure_bodies import bodies
from tests.deploy.azure_plans import SHARED
from tests.deploy.azure_slips import Slip, told_of

pytestmark = pytest.mark.deploy

AZURE = "deploy/azure/"
MODULES = "deploy/azure/modules/"
TOPOLOGY = "deploy/topology.yaml"

# What is wrong, in which file, what stands there, what stands there instead, which rule must say what.
SLIPS = [
    ("an unknown property", MODULES + "bus.bicep", "maxDeliveryCount:", "maxDeliveries:", platform.types,
     "maxDeliveries"),
    ("a slip in its case", MODULES + "vault.bicep", "tenantId:", "tenantID:", platform.types, "did you mean tenantId"),
    ("a word that is none", MODULES + "app.bicep", "lifecycle: 'None'", "lifecycle: 'Never'", bodies, "Never"),
    ("what is required is missing", MODULES + "alerts.bicep", "      severity: 1\n", "", platform.types, "severity"),
    ("what can't be written", MODULES + "vault.bicep", "    enableSoftDelete: true\n", "    hsmPoolResourceId: 'x'\n",
     platform.types, "read-only"),
    ("text for a number", MODULES + "storage.bicep", "days: 7", "days: '7'", platform.types, "days"),
    ("a version that is not", MODULES + "host.bicep", "@2025-06-01' =", "@2025-06-31' =", platform.types,
     "2025-06-31"),
    ("a kind that is not", MODULES + "events.bicep", "'ServiceBusQueue'", "'ServiceBusQueues'", platform.types,
     "ServiceBusQueues"),
    ("a name that is not", AZURE + "main.bicep", "tables: topology.tables", "tables: topologie.tables", platform.types,
     "topologie"),
    ("a module that is not", AZURE + "orders.bicep", "'modules/service.bicep'", "'modules/services.bicep'",
     platform.types, "services.bicep"),
    ("a module is not told all", AZURE + "catalog.bicep", "    engine: engine\n", "", platform.types,
     "missing param engine"),
    ("a module is told too much", AZURE + "customers.bicep", "    engine: engine\n",
     "    engine: engine\n    size: 3\n", platform.types, "unknown param size"),
    ("a parameter without use", AZURE + "orders.bicep", "param image string\n", "param image string\nparam x string\n",
     platform.types, "no-unused-params x"),
    ("a brace too few", MODULES + "registry.bicep", "sku: { name: 'Basic' }", "sku: { name: 'Basic' ", platform.types,
     "SYNTAX"),
    ("a word that comes in from outside", AZURE + "main.bicep", "? 'ZoneRedundant' : 'Disabled'",
     "? 'ZoneRedundant' : 'No'", platform.plans, "'No' is none of"),
    ("a value of another kind", MODULES + "events.bicep", "filter: { includedEventTypes: each.types }",
     "filter: { includedEventTypes: each.name }", bodies, "filter.includedEventTypes"),
    ("a property inside a function", MODULES + "app.bicep", "          server: registry.properties.loginServer",
     "          host: registry.properties.loginServer", bodies, "registries[0].host"),
    ("a name that Azure refuses", MODULES + "names.bicep", "registry: '${topology.namespace}${token}'",
     "registry: '${topology.namespace}-${token}'", bodies, "name: 'store-"),
    ("a name that is too long", MODULES + "names.bicep", "host: '${topology.storage_account}host${token}'",
     "host: '${topology.storage_account}functionshost${token}'", bodies, "longer than 24"),
    ("an engine that is not", AZURE + "orders.bicepparam", "'ORDERS_ENGINE'", "'ENGINE'", app.stores,
     "orders on tables"),
    ("an engine is misspelt", AZURE + "orders.bicepparam", "readEnvironmentVariable('ORDERS_ENGINE', 'postgres')",
     "'mysql'", platform.plans, "'mysql' is none of"),
    ("a loop over the unknown", AZURE + "secrets.bicep", "for (right, i) in rights:",
     "for (right, i) in vault.properties.x:", platform.plans, "known only later"),
    ("a file without its line", AZURE + "routes.bicep", "// What people reach", "What people reach", platform.plans,
     "routes.bicep does not open"),
    ("a deployable looks elsewhere", MODULES + "app.bicep", "name: names.registry", "name: 'registry'", platform.names,
     "registry is counted on"),
    ("a topic by another name", MODULES + "service.bicep", "'${name}${names.topicSuffix}'", "'${name}-topic'",
     platform.names, "catalog-topic is counted on"),
    ("one name for two", MODULES + "alerts.bicep", "name: 'dead-letters-of-${each.name}'", "name: 'dead-letters'",
     platform.names, "made twice"),
    ("a queue too many", AZURE + "main.bicep", "queues: topology.queues\n    rights",
     "queues: union(topology.queues, { spare: topology.queues.orders })\n    rights", platform.messaging,
     "queues: ['spare']"),
    ("a lock of another length", MODULES + "bus.bicep", "'PT${queues[queueName].lock_seconds}S'", "'PT60S'",
     platform.messaging, "lockDuration is PT60S"),
    ("tries that nobody asked for", MODULES + "bus.bicep", "queues[queueName].max_delivery_count", "5",
     platform.messaging, "maxDeliveryCount is 5"),
    ("a queue that knows no repeats", MODULES + "bus.bicep", "requiresDuplicateDetection: true",
     "requiresDuplicateDetection: false", platform.messaging, "does not know repeats"),
    ("a container too few", AZURE + "main.bicep", "containers: topology.containers\n", "containers: []\n",
     platform.messaging, "is item -1 of 1"),
    ("a subscription to no queue", TOPOLOGY, "to: {queue: orders}", "to: {queue: order}", platform.subscriptions,
     "customers-to-orders does not lead to queue order"),
    ("a subscription is forgotten", AZURE + "main.bicep", "each => contains(each.to, 'queue')",
     "each => contains(each.to, 'queues')", platform.subscriptions, "catalog-to-orders"),
    ("facts of another form", MODULES + "events.bicep", "eventDeliverySchema: 'CloudEventSchemaV1_0'",
     "eventDeliverySchema: 'EventGridSchema'", platform.subscriptions, "brings no CloudEvents"),
    ("dead letters go nowhere", MODULES + "calls.bicep", "blobContainerName: deadLetters", "blobContainerName: 'lost'",
     platform.subscriptions, "buries its dead letters nowhere"),
    ("a call without the key", MODULES + "calls.bicep", "&code=${key}", "", platform.subscriptions,
     "with the host's key"),
    ("a try less", MODULES + "calls.bicep", "maxDeliveryAttempts: 30", "maxDeliveryAttempts: 3",
     platform.subscriptions, "for a day"),
    ("a wrong role id", AZURE + "roles.json", "4f6d3b9b-027b", "4f6d3b9b-027c", platform.roles,
     "Azure Service Bus Data Receiver is not"),
    ("two role ids are swapped", AZURE + "roles.json", '"AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d"',
     '"AcrPull": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"', platform.roles, "AcrPull is not"),
    ("a role without an id", TOPOLOGY, "Azure Service Bus Data Sender, \"on\": queues/orders",
     "Azure Service Bus Sender, \"on\": queues/orders", platform.plans, "Azure Service Bus Sender"),
    ("a role on too much", MODULES + "bus.bicep", "scope: queue[indexOf(queueNames, right.on)]", "scope: namespace",
     platform.roles, "too much: catalog Azure Service Bus Data Receiver namespaces/store"),
    ("a pattern that covers all", MODULES + "rights.bicep", "startsWith(name, take(pattern, length(pattern) - 1))",
     "true", platform.roles, "too much: catalog Key Vault Secrets User secrets/orders-cursor-key"),
    ("nobody may pull", MODULES + "registry.bicep", "roles.AcrPull", "roles['EventGrid Data Sender']", platform.roles,
     "too little: platform AcrPull"),
    ("a key may enter", MODULES + "bus.bicep", "disableLocalAuth: true", "disableLocalAuth: false", platform.keyless,
     "disableLocalAuth is False"),
    ("a password may enter", MODULES + "postgres.bicep", "passwordAuth: 'Disabled'", "passwordAuth: 'Enabled'",
     platform.keyless, "passwordAuth is Enabled"),
    ("dead letters are for all", MODULES + "storage.bicep", "containerName == deadLetters ? 'None' : 'Blob'", "'Blob'",
     platform.keyless, "dead-letters is for all"),
    ("nobody watches dead letters", MODULES + "alerts.bicep", "metric: 'DeadletteredMessages'",
     "metric: 'DeadLetters'", platform.alerts, "nobody watches DeadletteredMessages"),
    ("an alert that tells nobody", MODULES + "app.bicep", "actions: [{ actionGroupId: alerts.id }]", "actions: []",
     platform.alerts, "tells nobody"),
]  # fmt: skip


@pytest.mark.parametrize("slip", [Slip(*slip) for slip in SLIPS], ids=lambda slip: slip.name)
def test_a_slip_is_seen(slip: Slip, tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("Azure's type definitions and azd's schema are not beside this repository (../shared)")

    assert slip.said in told_of(slip, tmp_path)
