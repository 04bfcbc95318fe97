"""The folder `.github` as the rules read it: workflows, scripts, owners."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 60

# What an image or its Bicep is made of beside what is the deployable's own; the gateway's is filled in by the local
# cloud's code. Two rules compare it with the Dockerfiles and with deploy/azure.
EVERYONES = {"uv.lock", "deploy/topology.yaml", *(f"deploy/azure/modules/{name}.bicep" for name in ("app", "names"))}
SHARED = {
    **dict.fromkeys(("catalog", "orders", "customers"), EVERYONES | {"libs/**", "deploy/azure/modules/service.bicep"}),
    "functions": EVERYONES | {"libs/**", "deploy/azure/modules/functions.bicep", "deploy/azure/keys.json"},
    "gateway": EVERYONES | {"localcloud/**"},
}
DEPLOYED = tuple(SHARED)

Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workflow:
    name: str
    text: str

    @property
    def document(self) -> dict[str, Any]:
        return yaml.safe_load(self.text) or {}

    @property
    def triggers(self) -> dict[str, Any]:
        # To YAML 1.1 the key `on` is the truth.
        return self.document.get(True) or {}  # type: ignore[call-overload]

    @property
    def jobs(self) -> dict[str, Job]:
        return self.document.get("jobs") or {}

    def env(self, job: str) -> dict[str, str]:
        """What the job is told, the workflow's own included."""
        return {**(self.document.get("env") or {}), **(self.jobs.get(job, {}).get("env") or {})}

    def commands(self) -> Iterator[str]:
        for job in self.jobs.values():
            yield from (step["run"] for step in job.get("steps", ()) if "run" in step)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A folder `.github`, and the project whose files it names."""

    folder: Path
    project: Path = ROOT

    def workflows(self) -> list[Workflow]:
        return [Workflow(path.name, path.read_text()) for path in sorted((self.folder / "workflows").glob("*.y*ml"))]

    def workflow(self, name: str) -> Workflow:
        path = self.folder / "workflows" / name
        return Workflow(name, path.read_text() if path.exists() else "")

    def scripts(self) -> list[Path]:
        return sorted((self.folder / "scripts").glob("*.sh"))

    def owners(self) -> dict[str, list[str]]:
        """By path; a later line would replace an earlier one, as for GitHub."""
        lines = (self.folder / "CODEOWNERS").read_text().splitlines()
        words = [line.split() for line in lines if line and not line.startswith("#")]
        return {path: owners for path, *owners in words}


Rule = Callable[[Pipeline], Iterator[str]]


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS, **options)
