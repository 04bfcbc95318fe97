"""The wire is right for others too: npm's @azure/keyvault-secrets and @azure/identity."""

from pathlib import Path

import pytest

from localcloud.addresses import Port
from tests.javascript import JavaScript
from tests.localcloud.clouds import local_cloud

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).with_name("keyvault.mjs")
PACKAGES = ("@azure/keyvault-secrets@4.10.0", "@azure/identity@4.13.0")


async def test_javascripts_sdk_passes(tmp_path: Path) -> None:
    javascript = await JavaScript.with_packages(tmp_path, *PACKAGES)
    async with local_cloud(tmp_path) as cloud:
        operator, secret = cloud.topology.identities["operator"], cloud.state.identity / "clients" / "operator"
        issuer, vault = cloud.addresses.url(Port.ISSUER), cloud.addresses.url(Port.KEYVAULT)
        who = [str(cloud.topology.tenant), str(operator.client_id), secret.read_text()]
        told = cloud.environment("operator") | {"NODE_EXTRA_CA_CERTS": cloud.ca}
        await javascript.passes(SCRIPT, vault, issuer, *who, **told)
