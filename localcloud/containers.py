"""The launcher's part where the store runs in containers (docker-compose.yml): `python -m localcloud.containers hold`.

`hold` puts into the volumes what must be there before anything starts, and then counts as the launcher, so that `token`
and `audit` find the store. `provision` is what an operator does before the services can start.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localcloud import certificates, postgres, provision, runfile
from localcloud.addresses import HOST, Addresses, Port
from localcloud.engines import USUAL
from localcloud.runfile import Run
from localcloud.state import State, made_once, write_private
from localcloud.store import PAYMENTS_KEY_FILE, PROJECT, Store, state_folder

STOP = {signal.SIGTERM, signal.SIGINT}
FOR_ALL = 0o644


@dataclass(frozen=True, slots=True)
class Volumes:
    """What is shared with others, each with those only who need it."""

    state: Path
    public: Path  # whom to trust: all read it
    storage: Path  # Azurite's
    superuser: Path  # PostgreSQL's password: its own container runs as another user


def fill(volumes: Volumes, environ: Mapping[str, str], at: datetime) -> None:
    """What is there stays; only what the environment says replaces what it said before."""
    state = State(volumes.state)
    files = certificates.ensure(state.certificates, at)
    for file in (files.ca, files.bundle):
        shutil.copyfile(file, volumes.public / file.name)
    for file in (files.server, files.key):
        shutil.copy(file, volumes.storage / file.name)
    state.identity.mkdir(mode=0o700, exist_ok=True)
    write_private(state.identity / "header", environ["IDENTITY_HEADER"].encode())
    write_private(volumes.state / "azurite.key", environ["STORAGE_KEY"].encode())
    write_private(volumes.state / PAYMENTS_KEY_FILE, environ["PAYMENTS_KEY"].encode())
    password = made_once(volumes.state / "superuser", lambda: secrets.token_urlsafe(24).encode())
    (volumes.superuser / "password").write_bytes(password)
    (volumes.superuser / "password").chmod(FOR_ALL)
    line = f"{HOST}:{Addresses().port(Port.POSTGRES)}:*:{postgres.SUPERUSER}:{password.decode()}\n"
    write_private(volumes.state / "pgpass", line.encode())  # PGPASSFILE: so no URL holds it


def hold(volumes: Volumes) -> None:
    """Until SIGTERM or SIGINT."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    with runfile.held(volumes.state):
        runfile.remove(volumes.state)
        fill(volumes, os.environ, datetime.now(UTC))
        runfile.write(volumes.state, _run(_store(volumes.state)))
        signal.sigwait(STOP)
        runfile.remove(volumes.state)


async def provide(store: Store) -> None:
    await provision.containers(store, os.environ)
    await provision.secrets_and_roles(store)


def _store(state: Path) -> Store:
    return Store.open(state, Addresses().base, datetime.now(UTC), USUAL)


def _run(store: Store) -> Run:
    at, logs = store.addresses.base, str(store.state.folder / "logs")  # which the engine of the containers keeps
    return Run(pid=os.getpid(), base_port=at, addresses=store.published(), logs=logs, engines=store.engines, ready=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("python -m localcloud.containers", description=__doc__)
    parser.add_argument("what", choices=("hold", "provision"))
    state = state_folder(None)
    if parser.parse_args(arguments).what == "hold":
        hold(Volumes(state, *(PROJECT / name for name in ("public", "storage", "superuser"))))
    else:
        asyncio.run(provide(_store(state)))


if __name__ == "__main__":
    main(sys.argv[1:])
