"""Shared access policies of a queue or a topic (`AuthorizationRules`) as XML, both ways."""

from collections.abc import Callable, Mapping
from typing import Final, cast
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from localcloud.servicebus.admin import xml
from localcloud.servicebus.claims import CLAIMS, MANAGE
from localcloud.servicebus.errors import BadArgument
from localcloud.topology import Claim, Policy

TAG: Final = "AuthorizationRules"
KIND: Final = "SharedAccessAuthorizationRule"
KEYS: Final = ("PrimaryKey", "SecondaryKey")
KEY_LENGTH: Final = 44  # characters: 32 bytes in base64
LONGEST_NAME: Final = 256
MOST: Final = 12  # of one entity, as in Azure


def read(description: Element, new_key: Callable[[], str]) -> dict[str, Policy]:
    """A key that is not said is made. Raises BadArgument."""
    said = xml.child(description, TAG)
    policies = dict(_policy(each, new_key) for each in (said if said is not None else ()))
    if said is not None and not len(policies) == len(said) <= MOST:
        raise BadArgument(f"{TAG}: at most {MOST}, each with a KeyName of its own")
    return policies


def write(description: Element, policies: Mapping[str, Policy], created: str, modified: str) -> None:
    if not policies:
        return
    rules = ET.SubElement(description, f"{{{xml.SERVICE_BUS}}}{TAG}")
    for name, policy in policies.items():
        rule = ET.SubElement(rules, f"{{{xml.SERVICE_BUS}}}AuthorizationRule", {f"{{{xml.INSTANCE}}}type": KIND})
        xml.put(rule, "ClaimType", "SharedAccessKey")
        xml.put(rule, "ClaimValue", "None")
        rights = ET.SubElement(rule, f"{{{xml.SERVICE_BUS}}}Rights")
        for right in policy.rights:
            xml.put(rights, "AccessRights", right)
        keys = zip(KEYS, policy.keys, strict=True)
        for tag, text in (("CreatedTime", created), ("ModifiedTime", modified), ("KeyName", name), *keys):
            xml.put(rule, tag, text)


def _policy(rule: Element, new_key: Callable[[], str]) -> tuple[str, Policy]:
    said, listed = dict(xml.texts(rule)), xml.child(rule, "Rights")
    name, rights = said.get("KeyName", ""), {each.text or "" for each in (listed if listed is not None else ())}
    if not 0 < len(name) <= LONGEST_NAME:
        raise BadArgument(f"KeyName: from 1 to {LONGEST_NAME} characters")
    if not rights or not rights <= set(CLAIMS) or (MANAGE in rights and len(rights) < len(CLAIMS)):
        raise BadArgument(f"Rights of {name}: Send, Listen or both, or all of {', '.join(CLAIMS)}")
    keys = [said.get(tag) or new_key() for tag in KEYS]
    if any(len(key) != KEY_LENGTH for key in keys):
        raise BadArgument(f"{' and '.join(KEYS)} of {name}: {KEY_LENGTH} characters, 32 bytes in base64")
    return name, Policy([cast(Claim, each) for each in CLAIMS if each in rights], keys)
