"""Entries and feeds (RFC 4287), and Service Bus' way to say what went wrong."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from localcloud.servicebus.admin import descriptions, policies, rules, xml
from localcloud.servicebus.entry import State
from localcloud.servicebus.namespace import Defined, Namespace
from localcloud.topology import BusTopic, Rule

DESCRIPTIONS: Final = {
    "queue": "QueueDescription",
    "topic": "TopicDescription",
    "subscription": "SubscriptionDescription",
}


def entity_entry(namespace: Namespace, defined: Defined, host: str) -> Element:
    entry, content = _entry(
        defined.name.rpartition("/")[2] if defined.kind == "subscription" else defined.name,
        _uri(host, defined.name),
        _iso(defined.created),
        _iso(defined.updated),
    )
    description = ET.SubElement(content, f"{{{xml.SERVICE_BUS}}}{defined.kind.title()}Description")
    descriptions.write(description, defined.settings, host)
    accessed = max(defined.updated, defined.entity.used)
    for tag, at in (("CreatedAt", defined.created), ("UpdatedAt", defined.updated), ("AccessedAt", accessed)):
        xml.put(description, tag, _iso(at))
    policies.write(description, defined.settings.policies, _iso(defined.created), _iso(defined.updated))
    _put_counts(description, namespace, defined)
    return entry


def rule_entry(subscription: Defined, name: str, rule: Rule, host: str) -> Element:
    at = _iso(subscription.created)
    entry, content = _entry(name, f"{_uri(host, subscription.name)}/Rules/{name}", at, at)
    description = ET.SubElement(content, f"{{{xml.SERVICE_BUS}}}RuleDescription")
    rules.write(description, name, rule)
    xml.put(description, "CreatedAt", at)
    return entry


def namespace_entry(name: str, at: int) -> Element:
    entry, content = _entry(name, f"https://{name}/$namespaceinfo", _iso(at), _iso(at))
    info = ET.SubElement(content, f"{{{xml.SERVICE_BUS}}}NamespaceInfo")
    said = {
        "CreatedTime": _iso(at),
        "MessagingSKU": "Standard",
        "ModifiedTime": _iso(at),
        "Name": name.partition(".")[0],
    }
    for tag, text in (said | {"NamespaceType": "Messaging"}).items():
        xml.put(info, tag, text)
    return entry


def feed(title: str, uri: str, entries: Iterable[Element], following: str | None) -> Element:
    root = ET.Element(f"{{{xml.ATOM}}}feed")
    xml.put(root, "title", title, xml.ATOM)
    xml.put(root, "id", uri, xml.ATOM)
    xml.put(root, "updated", _iso(0), xml.ATOM)
    for relation, link in (("self", uri), ("next", following)):
        if link:
            ET.SubElement(root, f"{{{xml.ATOM}}}link", {"rel": relation, "href": link})
    root.extend(entries)
    return root


def error(status: int, detail: str) -> bytes:
    root = ET.Element("Error")
    ET.SubElement(root, "Code").text = str(status)
    ET.SubElement(root, "Detail").text = "".join(letter for letter in detail if letter.isprintable())
    return xml.write(root)


def _entry(title: str, uri: str, created: str, updated: str) -> tuple[Element, Element]:
    """And its content, to be filled."""
    root = ET.Element(f"{{{xml.ATOM}}}entry")
    for tag, text in (("id", uri), ("title", title), ("published", created), ("updated", updated)):
        xml.put(root, tag, text, xml.ATOM)
    xml.put(ET.SubElement(root, f"{{{xml.ATOM}}}author"), "name", "localcloud", xml.ATOM)
    ET.SubElement(root, f"{{{xml.ATOM}}}link", {"rel": "self", "href": uri})
    return root, ET.SubElement(root, f"{{{xml.ATOM}}}content", {"type": "application/xml"})


def _uri(host: str, name: str) -> str:
    """As Azure writes it: some clients take the names from it."""
    return f"https://{host}/{name.replace('/subscriptions/', '/Subscriptions/')}"


def _put_counts(description: Element, namespace: Namespace, defined: Defined) -> None:
    main = defined.entity.queue
    scheduled = sum(entry.state == State.SCHEDULED for entry in main.entries.values())
    counts = {
        "ActiveMessageCount": len(main.entries) - scheduled,
        "DeadLetterMessageCount": len(defined.entity.sub_queue(1).queue.entries),
        "ScheduledMessageCount": scheduled,
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": len(defined.entity.sub_queue(2).queue.entries),
    }
    xml.put(description, "MessageCount", str(sum(counts.values())))
    if defined.kind != "subscription":
        size = namespace.size_of(defined)
        xml.put(description, "SizeInBytes", str(size))
    if isinstance(defined.settings, BusTopic):
        xml.put(description, "SubscriptionCount", str(len(namespace.subscriptions(defined.name))))
    details = ET.SubElement(description, f"{{{xml.SERVICE_BUS}}}CountDetails")
    for tag, count in counts.items():
        xml.put(details, tag, str(count), xml.COUNTS)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
