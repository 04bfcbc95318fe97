"""The wire is right for others too: npm's @azure/keyvault-secrets and @azure/identity."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from localcloud.addresses import Port
from tests.localcloud.clouds import local_cloud

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).with_name("keyvault.mjs")
PACKAGES = ("@azure/keyvault-secrets@4.10.0", "@azure/identity@4.13.0")
INSTALL_SECONDS, RUN_SECONDS = 120, 60


async def test_javascripts_sdk_passes(tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("JAVASCRIPT'S SDK WAS NOT TRIED: there is no node or no npm")
    install = [npm, "install", "--prefix", str(tmp_path), "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    status, said = await run(install, tmp_path, INSTALL_SECONDS)
    if status:
        pytest.skip(f"JAVASCRIPT'S SDK WAS NOT TRIED: npm's registry does not give it: {said[-200:]}")
    async with local_cloud(tmp_path) as cloud:
        operator, secret = cloud.topology.identities["operator"], cloud.state.identity / "clients" / "operator"
        issuer, vault = cloud.addresses.https(Port.ISSUER), cloud.addresses.https(Port.KEYVAULT)
        who = [str(cloud.topology.tenant), str(operator.client_id), secret.read_text()]
        told = cloud.environment("operator") | {"NODE_EXTRA_CA_CERTS": cloud.ca}
        status, said = await run([node, str(SCRIPT), vault, issuer, *who], tmp_path, RUN_SECONDS, **told)

    assert (status, said.strip().splitlines()[-1:]) == (0, ["passed"]), said


async def run(argv: list[str], folder: Path, seconds: float, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, stdout=PIPE, stderr=STDOUT, env=dict(os.environ) | environment
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"not within {seconds} s"
    return process.returncode or 0, said.decode()
