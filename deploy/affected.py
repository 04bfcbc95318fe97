"""Which deployables a change concerns: `python deploy/affected.py --since main`, or the changed paths themselves."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase

FOLDERS = {
    "catalog": "services/catalog",
    "orders": "services/orders",
    "customers": "services/customers",
    "functions": "functions",
    "gateway": "deploy/gateway",
    "localcloud": "localcloud",
}

# Parts of others that an image takes in: a test compares it with the Dockerfiles.
ALSO = {"localcloud": ("functions/**", "deploy/gateway/**"), "gateway": ("localcloud/**",)}

# What belongs to nobody, and is in no image. `*` crosses slashes.
NOTHING = (
    "*.md",
    "docs/*",
    "tests/*",
    "bench/*",
    "deploy/*.py",
    "deploy/observability/*",
    "deploy/schemas/*",
    ".github/CODEOWNERS",
    ".gitignore",
    "LICENSE",
)

LONGEST_DIFF_SECONDS = 60


def own_paths(name: str) -> tuple[str, ...]:
    """What belongs to this deployable alone, as GitHub's path filters say it."""
    return (
        f"{FOLDERS[name]}/**",
        f"deploy/k8s/base/{name}/**",
        f"deploy/k8s/overlays/aks/{name}/**",
        f"deploy/k8s/aca/{name}.yaml",
        f"deploy/azure/{name}.bicep*",
        f".github/workflows/deploy-{name}.yml",
    )


def affected(paths: Iterable[str]) -> list[str]:
    """What belongs to nobody (libs, uv.lock, the topology, a file nobody has thought of) concerns all."""
    found: set[str] = set()
    for path in paths:
        concerned = {name for name in FOLDERS if _matches(path, (*own_paths(name), *ALSO.get(name, ())))}
        found |= concerned or (set() if _matches(path, NOTHING) else set(FOLDERS))
    return [name for name in FOLDERS if name in found]


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def changed_since(revision: str) -> list[str] | None:
    """None where git can't say: a first push, a shallow clone, a history that was rewritten."""
    if not revision:  # to git, `...HEAD` is from HEAD to HEAD
        return None
    command = ["git", "diff", "--name-only", "--no-renames", "-z", "--end-of-options", f"{revision}...HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_DIFF_SECONDS)
    return done.stdout.split("\0")[:-1] if done.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the deployables that a change concerns, as JSON.")
    parser.add_argument("paths", nargs="*", help="what changed")
    parser.add_argument("--since", metavar="REVISION", help="what changed from there to HEAD")
    asked = parser.parse_args()
    paths = asked.paths if asked.since is None else changed_since(asked.since)
    if paths is None:
        sys.stderr.write(f"git knows no way from {asked.since!r} to HEAD: all are affected\n")
    sys.stdout.write(json.dumps(list(FOLDERS) if paths is None else affected(paths)) + "\n")


if __name__ == "__main__":
    main()
