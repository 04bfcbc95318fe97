"""The programs that hooks drive: az, azd, curl, psql, sqlcmd. Each has a deadline, none a secret in its arguments."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 120.0
DEPLOYING_SECONDS = 1800.0
# A role or an identity that was just made is not known everywhere at once, nor is an app that has just started.
NOT_YET = ("ForbiddenByRbac", "Request_ResourceNotFound", "does not exist in the directory", "validation handshake")
PATIENCE_SECONDS = 600.0
PAUSE_SECONDS = 15.0
NOTHING: Mapping[str, str] = {}


class Failed(Exception):
    """The hook can't do its work; the text says why."""


class _Refused(Failed):
    """It may be done soon."""


@dataclass(frozen=True, slots=True)
class Tools:
    dry: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    say: Callable[[str], object] = print
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def ask(self, *command: str) -> Any:
        """What a command that changes nothing answers, as JSON; in a dry run nobody is asked, and it is None."""
        if self.dry:
            self.say(f"  would ask: {' '.join(command)}")
            return None
        return json.loads(self._patiently(command, NOTHING, SECONDS) or "null")

    def do(self, *command: str, told: Mapping[str, str] = NOTHING, seconds: float = SECONDS) -> str:
        """What it prints. `told` goes into its environment and is not shown. Raises Failed."""
        if self.dry:
            self.say(f"  would run: {' '.join(command)}")
            return ""
        return self._patiently(command, told, seconds)

    def has(self, command: str) -> bool:
        return self._program(command) is not None

    def keep(self, name: str, value: str) -> None:
        """In azd's environment, for Bicep and for later."""
        self.do("azd", "env", "set", name, value)

    def setting(self, name: str) -> str:
        """Of azd's environment; a dry run goes without. Raises Failed where it is missing, and says how to set it."""
        found = self.environment.get(name) or (f"<{name}>" if self.dry else "")
        if not found:
            raise Failed(f"{name} is not set: azd env set {name} <value>")
        return found

    def subscription(self) -> tuple[str, str]:
        """For az, whose own may be another."""
        return "--subscription", self.setting("AZURE_SUBSCRIPTION_ID")

    def wait(self, lacking: Callable[[], str]) -> None:
        """Until nothing is lacking any more. Raises Failed, and says what still is; a dry run only asks once."""
        until = self.clock() + PATIENCE_SECONDS
        while (lack := lacking()) and not self.dry:
            if self.clock() > until:
                raise Failed(lack)
            self.say(f"  {lack}; waiting")
            self.pause(PAUSE_SECONDS)

    def _patiently(self, command: tuple[str, ...], told: Mapping[str, str], seconds: float) -> str:
        until = self.clock() + PATIENCE_SECONDS
        while True:
            try:
                return self._run(command, told, seconds)
            except _Refused:
                if self.clock() > until:
                    raise
                self.say("  not yet; trying again")
                self.pause(PAUSE_SECONDS)

    def _run(self, command: tuple[str, ...], told: Mapping[str, str], seconds: float) -> str:
        program, called = self._program(command[0]), " ".join(command[:4])
        if program is None:
            raise Failed(f"{command[0]} is not on PATH")
        environment = {**self.environment, **told}
        try:
            done = subprocess.run(
                [program, *command[1:]], env=environment, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as expired:
            raise Failed(f"{called} … did not end within {seconds:.0f} s") from expired
        if done.returncode != 0:
            refused = any(word in done.stderr for word in NOT_YET)
            raise (_Refused if refused else Failed)(f"{called} … failed: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def _program(self, name: str) -> str | None:
        return shutil.which(name, path=self.environment.get("PATH", ""))  # az is az.cmd on Windows


@contextmanager
def written(text: str) -> Iterator[str]:
    """The path of a file that only this account can read, gone after the block."""
    handle, name = tempfile.mkstemp(prefix="store-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        yield name
    finally:
        Path(name).unlink()


def run(hook: Callable[[Tools], None], arguments: list[str]) -> int:
    """Its exit status."""
    try:
        hook(Tools(dry="--dry-run" in arguments))
    except Failed as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    return 0
