"""Scripts against npm's SDKs: the wire is right for others too."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL_SECONDS, RUN_SECONDS = 120, 60


@dataclass(frozen=True, slots=True)
class JavaScript:
    """What npm has installed into `folder`."""

    node: str
    folder: Path

    @classmethod
    async def with_packages(cls, folder: Path, *packages: str) -> "JavaScript":
        """Skips the test where there is no node, no npm, or no registry."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if not node or not npm:
            pytest.skip("JAVASCRIPT'S SDK WAS NOT TRIED: there is no node or no npm")
        install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        status, said = await _run(install, folder, INSTALL_SECONDS)
        if status:
            pytest.skip(f"JAVASCRIPT'S SDK WAS NOT TRIED: npm's registry does not give it: {said[-200:]}")
        return cls(node, folder)

    async def passes(self, script: Path, *arguments: str, **environment: str) -> None:
        """Its last line is `passed`. Raises AssertionError with all that it said."""
        status, said = await _run([self.node, str(script), *arguments], self.folder, RUN_SECONDS, **environment)
        assert (status, said.strip().splitlines()[-1:]) == (0, ["passed"]), said


async def _run(argv: Sequence[str], folder: Path, seconds: float, **environment: str) -> tuple[int, str]:
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
