"""The conversation as an AsyncAPI 3.0 document: channels are topics and queues, operations who tells and who hears."""

from collections.abc import Iterable
from typing import Any

from deploy.contracts.conversation import SERVICES, kinds, reads, sent_by, told_by
from libs.common.messages import Command
from localcloud.topology import Topology

Document = dict[str, Any]

TITLES = {"topic": "What {} tells, to anyone", "queue": "What waits for {}"}
SERVERS: Document = {
    "facts": {
        "host": "{topic}.eventgrid.azure.net",
        "protocol": "https",
        "description": "Event Grid custom topics, with CloudEvents 1.0 as input and output.",
        "variables": {"topic": {"description": "The topic's name with what makes it unique in Azure."}},
    },
    "commands": {
        "host": "{namespace}.servicebus.windows.net",
        "protocol": "amqps",
        "protocolVersion": "1.0",
        "description": "Service Bus queues.",
        "variables": {"namespace": {"description": "The namespace's name."}},
    },
}
ENVELOPE: Document = {
    "title": "CloudEvent",
    "description": "CloudEvents 1.0, structured JSON; `traceparent` is its distributed-tracing extension.",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "The same for each repeat."},
        "source": {"type": "string", "description": "`/services/<name>` or `/functions/<name>`."},
        "type": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string", "description": "The id of the aggregate."},
        "traceparent": {"type": "string"},
        "datacontenttype": {"const": "application/json"},
    },
}


def document(store: Topology) -> Document:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Store",
            "version": "1",
            "description": "Facts on Event Grid, commands and deliveries on Service Bus; at least once, in any order.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": SERVERS,
        "channels": _channels(store),
        "operations": dict(sorted(_operations(store).items())),
        "components": {"schemas": {"CloudEvent": ENVELOPE}, "messages": {name: _message(name) for name in kinds()}},
    }


def _message(name: str) -> Document:
    kind, payload = kinds()[name], {"$ref": f"messages/{name}.json"}
    return {
        "name": name,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").partition("\n")[0],
        "tags": [{"name": "command" if issubclass(kind, Command) else "fact"}],
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {"type": "object", "required": ["data"], "properties": {"type": {"const": name}, "data": payload}},
            ]
        },
    }


def _channels(store: Topology) -> Document:
    topics = {f"topic-{topic}": _channel("topic", topic, told_by(topic)) for topic in store.topics}
    heard = reads(store)
    return topics | {f"queue-{queue}": _channel("queue", queue, heard.get(queue, {})) for queue in store.queues}


def _channel(kind: str, name: str, messages: Iterable[str]) -> Document:
    server = "facts" if kind == "topic" else "commands"
    return {
        "address": name,
        "title": TITLES[kind].format(name),
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in messages},
    }


def _operations(store: Topology) -> Document:
    told = {f"{each}.tells": _operation("send", f"topic-{each}", told_by(each)) for each in SERVICES}
    heard = {f"{each}.hears": _operation("receive", f"queue-{each}", reads(store)[each]) for each in SERVICES}
    functions: Document = {}
    for each in store.subscriptions:
        if (name := each.to.function) and name in reads(store):
            functions[f"{name}.hears"] = _operation("receive", f"topic-{each.topic}", reads(store)[name])
            for queue in store.queues:
                sent = [command for command in sent_by(name) if kinds()[command].owner() == queue]
                functions[f"{name}.sends.{queue}"] = _operation("send", f"queue-{queue}", sent)
    return {name: each for name, each in (told | heard | functions).items() if each["messages"]}


def _operation(action: str, channel: str, messages: Iterable[str]) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{each}"} for each in messages],
    }
