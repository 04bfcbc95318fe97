"""The tools that come as wheels, and docker-compose.yml as the real Compose reads it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.lint.documents import ROOT

TOOLS = Path(sys.executable).parent
COMPOSE_FILE = ROOT / "docker-compose.yml"
LONGEST_SECONDS = 60


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = TOOLS / name
    if not path.exists():
        pytest.skip(f"{name} is not installed: `uv sync --group deploy`")
    return subprocess.run(
        [path, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )


def resolved(*options: str) -> Any:
    done = tool("docker-compose", *options, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
