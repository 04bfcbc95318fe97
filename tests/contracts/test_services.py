"""schemathesis against every service: all checks, all phases, as nobody and with each role."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from azure.storage.blob.aio import BlobServiceClient

from libs.common.auth import Role, Verifier
from libs.common.postgres import Postgres
from tests.contracts.served import CALLER, SERVED, Surroundings
from tests.tokens import Tokens

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

CONFIG, ROOT = Path(__file__).with_name("schemathesis.toml"), Path(__file__).parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
MOST_SECONDS = 170  # it takes some 20 on two free processors
CALLERS: dict[str, tuple[Role, ...]] = {"nobody": (), **{role.value: (role,) for role in Role}}
# Who can do most is tried in all phases; the others, who are mostly refused, more shortly.
THE_REST = ("--phases", "examples,fuzzing", "--max-examples", "5")
FULLY = {("catalog", Role.ADMIN), ("orders", Role.CUSTOMER), ("customers", Role.CUSTOMER), ("customers", Role.ADMIN)}


# Customers find nobody but themselves.
OWN_ID: dict[tuple[str, str], str] = {("customers", Role.CUSTOMER): f'parameters = {{ "path.id" = "{CALLER}" }}'}


@pytest.fixture
def here(database: Postgres, verifier: Verifier, blobs: BlobServiceClient) -> Surroundings:
    return Surroundings(database, verifier, blobs)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("service", SERVED)
async def test_a_service_does_what_its_document_says(
    service: str, caller: str, here: Surroundings, tokens: Tokens, tmp_path: Path
) -> None:
    roles, config = CALLERS[caller], tmp_path / "schemathesis.toml"
    config.write_text(f"{OWN_ID.get((service, caller), '')}\n{CONFIG.read_text()}")
    bearer = tokens.bearer(*roles, oid=CALLER) if roles else {}

    async with SERVED[service](here) as app, TestServer(app) as server:
        options = () if (service, caller) in FULLY else THE_REST
        status, said = await tried(f"{server.make_url('/openapi.json')}", config, bearer, options)

    assert status == 0, f"schemathesis found\n{said}"


async def tried(url: str, config: Path, headers: dict[str, str], options: tuple[str, ...]) -> tuple[int | None, str]:
    """What schemathesis ends with, and what it says."""
    given = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS,
        *("--config-file", config, "run", url),
        *given,
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=config.parent,  # it leaves things there
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.contracts.hooks", "PYTHONPATH": str(ROOT)},
    )
    try:
        async with asyncio.timeout(MOST_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode()
