"""What a subscription gets of a message: nothing, the message, or a copy for each rule that changes it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localcloud.servicebus.filters import Changes, Compiled, Facts
from localcloud.servicebus.message import PARTITION_KEY, SCHEDULED, Message

RULE_NAME = "RuleName"


def facts_of(message: Message, number: int, at: int) -> Facts:
    """Of what comes to a topic at that time, and gets that number there. Raises Malformed."""
    said, due = message.properties, message.annotation(SCHEDULED)
    system: dict[str, Any] = {
        "messageid": said.message_id,
        "correlationid": said.correlation_id,
        "to": said.to,
        "replyto": said.reply_to,
        "label": said.subject,
        "subject": said.subject,
        "sessionid": said.group_id,
        "replytosessionid": said.reply_to_group_id,
        "contenttype": said.content_type,
        "timetolive": message.header.ttl,
        "deliverycount": 0,
        "partitionkey": message.annotation(PARTITION_KEY),
        "sequencenumber": number,
        "enqueuedtimeutc": _moment(at),
        "scheduledenqueuetimeutc": None if due is None else _moment(due),
    }
    return Facts(system, message.application)


def _moment(milliseconds: int) -> str:
    """To the second, as the administration client writes what is compared with it."""
    return f"{datetime.fromtimestamp(max(milliseconds, 0) // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def copies(rules: Mapping[str, Compiled], message: Message, facts: Facts) -> list[Message]:
    """Rules without an action give one together, each other one its own. Raises FilterFailed."""
    wanted = [(name, rule) for name, rule in rules.items() if rule.wants(facts)]
    plain = [message] if any(rule.act is None for _, rule in wanted) else []
    return plain + [_changed(message, name, rule.act(facts)) for name, rule in wanted if rule.act is not None]


def _changed(message: Message, rule: str, changes: Changes) -> Message:
    names = {key.lower(): key for key in map(str, message.application)}
    user = {names.get(key.lower(), key): value for key, value in changes.user.items()}
    new = {key: value for key, value in user.items() if value is not None} | {RULE_NAME: rule}
    system: dict[str, Any] = dict(changes.system)
    return message.changed(new, user.keys() - new.keys(), message.properties._replace(**system) if system else None)
