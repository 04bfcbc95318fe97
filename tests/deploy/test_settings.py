"""The page of settings, which is made from the topology."""

import pytest

from deploy import settings
from localcloud.topology import Topology

pytestmark = pytest.mark.deploy


def test_the_page_of_settings_says_what_the_topology_says(store: Topology) -> None:
    assert settings.PAGE.read_text() == settings.page(store), "run `python -m deploy.settings`"
