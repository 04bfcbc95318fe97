"""What a subscription gets of a message: nothing, the message, or a copy for each rule that changes it."""

from collections.abc import Mapping
from typing import Any

from localcloud.servicebus.entry import State
from localcloud.servicebus.filters import Changes, Compiled, Facts
from localcloud.servicebus.message import Message

RULE_NAME = "RuleName"


def facts_of(message: Message) -> Facts:
    """Raises Malformed."""
    said = message.properties
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
        "deliverycount": int(State.ACTIVE),
    }
    return Facts(system, message.application)


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
