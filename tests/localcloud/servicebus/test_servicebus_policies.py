"""Shared access policies as XML says them, and as they are kept."""

from pathlib import Path

import msgspec
import pytest

from localcloud.servicebus import Broker
from localcloud.servicebus.admin import policies, xml
from localcloud.servicebus.errors import BadArgument
from localcloud.topology import BusSubscription, Policy, Queue

KEY = "k" * 44
HEAD = f'<QueueDescription xmlns="{xml.SERVICE_BUS}"><AuthorizationRules><AuthorizationRule>'
TAIL = "</AuthorizationRule></AuthorizationRules></QueueDescription>"
SENDS = "<Rights><AccessRights>Send</AccessRights></Rights>"


def read(inside: str) -> dict[str, Policy]:
    return policies.read(xml.parse(f"{HEAD}{inside}{TAIL}".encode()), lambda: KEY)


def test_keys_that_are_not_said_are_made() -> None:
    said = f"<KeyName>sends</KeyName><PrimaryKey>{'p' * 44}</PrimaryKey>{SENDS}"

    assert read(said) == {"sends": Policy(["Send"], ["p" * 44, KEY])}


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (SENDS, "KeyName"),
        (f"<KeyName>{'n' * 257}</KeyName>{SENDS}", "KeyName"),
        ("<KeyName>n</KeyName>", "Rights of n"),
        ("<KeyName>n</KeyName><Rights><AccessRights>Fly</AccessRights></Rights>", "Rights of n"),
        (f"<KeyName>n</KeyName><SecondaryKey>short</SecondaryKey>{SENDS}", "SecondaryKey of n: 44 characters"),
    ],
)
def test_what_can_not_be_is_refused_with_its_field(inside: str, reason: str) -> None:
    with pytest.raises(BadArgument, match=reason):
        read(inside)


async def test_policies_are_there_after_a_restart(tmp_path: Path) -> None:
    queue = Queue(policies={"sends": Policy(["Send"], [KEY, KEY])})
    async with Broker.open({}, tmp_path / "bus.sqlite", lambda *_: None) as broker:
        await broker.namespace.create("made", queue)

    async with Broker.open({}, tmp_path / "bus.sqlite", lambda *_: None) as broker:
        assert broker.namespace.policies("Made") == queue.policies
        assert broker.namespace.policies("nowhere") == {}


def test_a_subscription_has_no_policies_of_its_own() -> None:
    with pytest.raises(msgspec.ValidationError, match="those of its topic hold"):
        msgspec.yaml.decode("policies: {all: {rights: [Send], keys: []}}", type=BusSubscription)
