"""Settings from the environment."""

import pytest

from libs.common.settings import Incomplete, ServiceSettings, read

ENOUGH = {
    "STORE_URL": "postgresql://x",
    "KEY_VAULT": "https://v",
    "TOPIC_ENDPOINT": "https://t",
    "SERVICE_BUS": "n",
    "ISSUER": "https://i",
    "AUDIENCE": "a",
}


def test_settings_are_typed_and_have_defaults() -> None:
    settings = read(ServiceSettings, ENOUGH | {"PORT": "81", "DRAIN_SECONDS": "2.5", "UNRELATED": "x"})

    assert (settings.port, settings.drain_seconds, settings.host) == (81, 2.5, "127.0.0.1")


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(Incomplete, match="STORE_URL, KEY_VAULT, TOPIC_ENDPOINT, SERVICE_BUS, ISSUER, AUDIENCE"):
        read(ServiceSettings, {"STORE_URL": ""})


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(Incomplete, match="port"):
        read(ServiceSettings, ENOUGH | {"PORT": "eighty"})
