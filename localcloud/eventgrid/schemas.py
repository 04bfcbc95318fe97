"""From one schema to the other: Event Grid's own can become a CloudEvent, and what Azure itself tells can be either."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from localcloud.eventgrid.wire import Event
from localcloud.subscription import Schema

GROUP: Final = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/store/providers"
SHARED: Final = ("id", "subject", "data")


def topic_id(topic: str) -> str:
    """As Azure names a custom topic, in what it delivers."""
    return f"{GROUP}/Microsoft.EventGrid/topics/{topic}"


def delivered(event: Event, schema: Schema, topic: str) -> bytes:
    """The event as a subscription of this topic gets it. What is in the right schema already stays as it came."""
    if event.schema == schema == "cloudevents":
        return event.content
    said = msgspec.json.decode(event.content, type=dict[str, Raw])
    if event.schema == "cloudevents":
        return msgspec.json.encode(_own(said))
    stamped = said | {"topic": _raw(topic_id(topic)), "metadataVersion": _raw("1")}
    return msgspec.json.encode(stamped if schema == "eventgrid" else _cloud_event(stamped))


def _cloud_event(said: dict[str, Raw]) -> dict[str, Any]:
    version: str = msgspec.json.decode(said["dataVersion"])
    return {name: said[name] for name in SHARED if name in said} | {
        "source": said["topic"],
        "type": said["eventType"],
        "time": said["eventTime"],
        "dataschema": f"#{version}",
        "specversion": "1.0",
    }


def _own(said: dict[str, Raw]) -> dict[str, Any]:
    return {name: said[name] for name in SHARED if name in said} | {
        "topic": said["source"],
        "eventType": said["type"],
        "eventTime": said["time"],
        "dataVersion": "",
        "metadataVersion": "1",
    }


def _raw(text: str) -> Raw:
    return Raw(msgspec.json.encode(text))
