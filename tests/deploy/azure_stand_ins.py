"""Programs that stand in for az, azd, curl, psql and sqlcmd, and note what azd's hooks tell them."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.azure.hooks.tools import Tools

HOOKS = Path(__file__).parents[2] / "deploy/azure/hooks"
LONGEST_SECONDS = 30
STAND_IN = """\
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
command = [pathlib.Path(__file__).name, *sys.argv[1:]]
files = [each.removeprefix("@") for each in command if each.startswith(("@", "/tmp", os.environ["TMPDIR"]))]
said = {"command": command, "files": [pathlib.Path(each).read_text() for each in files if os.path.isfile(each)],
        "password": os.environ.get("PGPASSWORD", ""), "user": os.environ.get("PGUSER", "")}
with (here / "log").open("a") as log:
    log.write(json.dumps(said) + "\\n")
for part, answers in json.loads((here / "answers").read_text()):
    if part in " ".join(command):
        number = sum(part in " ".join(json.loads(line)["command"]) for line in (here / "log").read_text().splitlines())
        status, out, error = answers[min(number, len(answers)) - 1]
        sys.stdout.write(out)
        sys.stderr.write(error)
        sys.exit(status)
"""
ACCOUNT = {"id": "sub-test", "tenantId": "tenant-test", "user": {"name": "ada@example.com", "type": "user"}}
PRINCIPALS = [{"name": name, "id": f"id-of-{name}"} for name in ("catalog", "orders", "customers", "functions")]


@dataclass(frozen=True)
class Cloud:
    """What the hooks talk to; `answers` are given in turn to each command with that text in it, the last for good."""

    folder: Path
    environment: dict[str, str]

    def answers(self, *answers: tuple[str, list[tuple[int, str, str]]]) -> None:
        (self.folder / "answers").write_text(json.dumps([*answers, *usual()]))

    def heard(self, word: str) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines() if (self.folder / "log").exists() else []
        return [each for each in map(json.loads, lines) if word in " ".join(each["command"])]

    def run(self, hook: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, f"{hook}.py", *arguments],
            cwd=HOOKS,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )


def ok(value: object = "") -> list[tuple[int, str, str]]:
    return [(0, value if isinstance(value, str) else json.dumps(value), "")]


def usual() -> Iterator[tuple[str, list[tuple[int, str, str]]]]:
    """What is answered where a test says nothing else."""
    yield "az account show", ok(ACCOUNT)
    yield "az containerapp show", ok(["functions--1", "functions.example.com"])
    yield "az containerapp revision show", ok(["RunningAtMaxScale", "Healthy"])
    yield "curl", ok("401")


def stand_in(folder: Path, secrets: list[str]) -> Cloud:
    for name in ("az", "azd", "curl", "psql", "sqlcmd"):
        program = folder / name
        program.write_text(f"#!{sys.executable}\n{STAND_IN}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "files").mkdir()
    told = {
        "AZURE_ENV_NAME": "test",
        "AZURE_SUBSCRIPTION_ID": "sub-test",
        "AZURE_TENANT_ID": "tenant-test",
        "AZURE_LOCATION": "westeurope",
        "AZURE_RESOURCE_GROUP": "rg-test",
        "AZURE_PRINCIPAL_ID": "id-of-operator",
        "OPERATOR_NAME": "ada@example.com",
        "OPERATOR_ADDRESS": "203.0.113.7",
        "API_CLIENT_ID": "id-of-api",
        "MAIL_URL": "smtp://smtp.example.com",
        "MAIL_FROM": "store@example.com",
        "PAYMENTS_URL": "https://payments.example.com",
        "STORE_VAULT": "store-vault",
        "STORE_SECRETS": json.dumps(secrets),
        "STORE_PRINCIPALS": json.dumps(PRINCIPALS),
        "STORE_APP_ROLES": json.dumps({"functions": ["Store.Service"], "operator": ["Store.Admin"]}),
        "STORE_POSTGRES": json.dumps({"server": "pg.example.com", "databases": ["catalog", "orders"]}),
        "STORE_AZURESQL": json.dumps({"server": "sql.example.com", "databases": ["customers"]}),
    }
    cloud = Cloud(folder, {**told, "PATH": str(folder), "TMPDIR": str(folder / "files")})
    cloud.answers()
    return cloud


def vault(names: list[str], *more: tuple[str, list[tuple[int, str, str]]]) -> Iterator[tuple[str, Any]]:
    """The answers to `postprovision` where these secrets are there."""
    yield from more
    yield "secret list", ok(names)
    yield "get-access-token", ok("token-of-ada")
    yield "sp show", ok('"api"')
    yield "appRoleAssignedTo", ok({"value": []})


def patient(cloud: Cloud, clock: Callable[[], float], pauses: list[float]) -> Tools:
    """Waits without waiting; what it would have waited is in `pauses`."""
    return Tools(environment=cloud.environment, say=lambda _: None, clock=clock, pause=pauses.append)
