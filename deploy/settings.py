"""docs/settings.md, from the topology: what each deployable's environment tells it."""

from collections.abc import Iterator
from pathlib import Path

from localcloud import topology
from localcloud.topology import Setting, Topology

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"

HEAD = """# Settings

What each deployable is told by its environment. Made from `deploy/topology.yaml` by `python -m deploy.settings`; tests
compare that with the code, with every manifest and with docker-compose.yml.
"""
PLACES = {"azure": "in Azure only", "local": "with the local cloud only"}


def page(store: Topology) -> str:
    deployables = dict.fromkeys(name for each in store.settings.values() for name in each.of)
    return HEAD + "".join(f"\n## {name}\n\n" + "\n".join(_table(store, name)) + "\n" for name in deployables)


def _table(store: Topology, deployable: str) -> Iterator[str]:
    yield "| variable | says | must be said |"
    yield "| --- | --- | --- |"
    for name, each in store.settings.items():
        if deployable in each.of:
            yield f"| `{name}` | {each.says} | {_when(each)} |"


def _when(setting: Setting) -> str:
    said = "no" if setting.optional else "yes"
    return f"{said}, {PLACES[setting.only]}" if setting.only else said


if __name__ == "__main__":
    PAGE.write_text(page(topology.load(ROOT / "deploy" / "topology.yaml")))
