"""PostgreSQL's own benchmark, with statements of ours: what the server gives where nothing is in between."""

import asyncio
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bench.figures import percentile
from libs.common.postgres_pool import POOL_SIZE

LOST_SECONDS = 20.0
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pgbench:
    """`url` is of a database; as many connections as a service's pool has."""

    binary: Path
    url: str

    async def run(self, script: str, seconds: float) -> tuple[float, list[float]]:
        """How many in a second, and how many seconds each took. Raises RuntimeError or TimeoutError."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "script.sql").write_text(script)
            said = await self._say("--file", "script.sql", "--time", str(max(1, round(seconds))), folder=folder)
            took = read_log(folder)
        match = _RATE.search(said)
        if not match or not took:
            raise RuntimeError(said)
        return float(match[1]), took

    async def _say(self, *arguments: str, folder: Path) -> str:
        at_once = ("--client", str(POOL_SIZE), "--jobs", "1", "--protocol", "prepared", "--no-vacuum")
        process = await asyncio.create_subprocess_exec(
            self.binary,
            *(*at_once, "--log", "--log-prefix", "log", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=self._environment(),
        )
        try:
            async with asyncio.timeout(float(arguments[-1]) + LOST_SECONDS):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(said.decode())
        return said.decode()

    def _environment(self) -> dict[str, str]:
        """Not on the command line: there everybody could read the password."""
        url = urlsplit(self.url)
        where = {"PGHOST": url.hostname, "PGPORT": str(url.port), "PGDATABASE": url.path[1:], "PGUSER": url.username}
        told = {name: value for name, value in where.items() if value}
        return {"PATH": os.environ["PATH"], **told, "PGPASSWORD": unquote(url.password or ""), "PGSSLMODE": "disable"}


def read_log(folder: Path) -> list[float]:
    """The seconds of each transaction: the third column, in microseconds."""
    lines = [line for log in folder.glob("log.*") for line in log.read_text().splitlines()]
    return [int(line.split()[2]) / 1e6 for line in lines]


def cuts(took: list[float]) -> tuple[float, float, float]:
    """p50, p95 and p99, in milliseconds."""
    return percentile(took, 0.5) * 1000, percentile(took, 0.95) * 1000, percentile(took, 0.99) * 1000
