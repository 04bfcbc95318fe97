"""Tokens for the people who use the store that runs here. `make token ROLE=admin|customer|service [CUSTOMER=<id>]`"""

import argparse
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

from localcloud import identity, runfile, topology
from localcloud.access import Issuer
from localcloud.addresses import Addresses
from localcloud.identity import Role
from localcloud.runfile import NotRunning, Run
from localcloud.state import State
from localcloud.store import TOPOLOGY, state_folder
from localcloud.topology import Topology


@dataclass(frozen=True, slots=True)
class People:
    issuer: Issuer
    topology: Topology

    @classmethod
    def open(cls, folder: Path, run: Run) -> "People":
        known = topology.load(TOPOLOGY)
        url = identity.issuer_url(Addresses(run.base_port), known.tenant)
        return cls(Issuer.open(State(folder).identity, url, known.tenant), known)

    def token(self, role: Role, customer: UUID | None = None) -> str:
        """Raises ValueError: a customer's token names the customer, and no other does."""
        return identity.token_for(self.issuer, self.topology, role, customer, datetime.now(UTC))

    def authorization(self, role: Role, customer: UUID | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, customer)}"}


def main(arguments: list[str]) -> str | None:
    """What went wrong, if anything did."""
    parser = argparse.ArgumentParser("python -m localcloud.people", description=__doc__)
    parser.add_argument("--state", type=Path, metavar="DIR")
    parser.add_argument("--role", choices=get_args(Role), required=True)
    parser.add_argument("--customer", type=UUID, metavar="ID")
    chosen = parser.parse_args(arguments)
    folder = state_folder(chosen.state)
    try:
        token = People.open(folder, runfile.running(folder)).token(chosen.role, chosen.customer)
    except (NotRunning, ValueError) as error:
        return str(error)
    sys.stdout.write(f"{token}\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
