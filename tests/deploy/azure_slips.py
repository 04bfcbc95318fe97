"""A slip in a copy of the project, and what a rule says of it."""

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.deploy.azure_plans import PROJECT, TOPOLOGY, Rule, Wrong, told

__all__ = ("TOPOLOGY",)

ACA = "deploy/k8s/aca/"
AZURE = "deploy/azure/"
MODULES = "deploy/azure/modules/"


class Slip(NamedTuple):
    name: str
    file: str
    old: str
    new: str
    rule: Rule
    said: str


def copied(folder: Path) -> Path:
    """What the rules look at, without a slip."""
    for part in ("deploy/azure", "deploy/k8s/aca"):
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("deploy/topology.yaml", "azure.yaml"):
        shutil.copy(PROJECT / file, folder / file)
    return folder


def told_of(slip: Slip, folder: Path) -> str:
    """What the rule tells of the copy in `folder`, once the slip is made there."""
    text = (folder / slip.file).read_text()
    assert slip.old in text, f"the slip '{slip.name}' is out of date: {slip.file} has no {slip.old!r}"
    (folder / slip.file).write_text(text.replace(slip.old, slip.new))
    try:
        return told(slip.rule, folder)
    except Wrong as wrong:  # the rule can't even look
        return str(wrong)
