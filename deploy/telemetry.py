"""docs/telemetry.md: what is measured, from the code that measures it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from functions import watch as functions_watch
from libs.common import measures
from libs.common.metrics import Measure
from services.orders import sight as orders_sight

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "telemetry.md"
START = "<!-- made by `python -m deploy.telemetry` from here on -->\n"

MEASURED: dict[str, Sequence[Measure]] = {
    "Every service": measures.ALL,
    "orders, besides": orders_sight.ALL,
    "functions": functions_watch.ALL,
}


def samples(about: Measure) -> list[str]:
    """The names under which Prometheus keeps it."""
    if about.kind == "histogram":
        return [f"{about.family}_{part}" for part in ("bucket", "count", "sum")]
    return [f"{about.family}_total" if about.kind == "counter" else about.family]


def known() -> dict[str, set[str]]:
    """All of those names, and the labels of each."""
    return {
        name: {label.replace(".", "_") for label in about.labels} | ({"le"} if name.endswith("_bucket") else set())
        for some in MEASURED.values()
        for about in some
        for name in samples(about)
    }


def page(written: str) -> str:
    """What people wrote stays, and is followed by the lists."""
    return written.partition(START)[0] + START + "".join(_list(title, some) for title, some in MEASURED.items())


def _list(title: str, some: Sequence[Measure]) -> str:
    return f"\n## {title}\n\n" + "\n".join(_rows(some)) + "\n"


def _rows(some: Sequence[Measure]) -> Iterator[str]:
    yield "| OpenTelemetry | Prometheus | kind | unit | labels | says |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for about in some:
        labels = ", ".join(f"`{label}`" for label in about.labels)
        prometheus = samples(about)[0].removesuffix("_bucket")
        yield f"| `{about.name}` | `{prometheus}` | {about.kind} | {about.unit} | {labels} | {about.says} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
