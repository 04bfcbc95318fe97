"""python -m deploy.contracts [write | breaks | release]"""

import sys
from collections.abc import Iterator

from deploy.contracts import breaks
from deploy.contracts.breaks import Break
from deploy.contracts.files import RELEASED, ROOT, Contracts, made, now, released, written


def write(folder: str = ".") -> None:
    """What is made no more is removed."""
    place, files = ROOT / folder, made()
    for old in (place / "contracts" / "messages").glob("*.json"):
        old.unlink()
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(written(content))


def found(before: Contracts, after: Contracts) -> Iterator[Break]:
    yield from breaks.messages(before.messages, after.messages, after.consumers)
    for service, document in before.http.items():
        yield from breaks.http(service, document, after.http[service], after.consumers)


def main(command: str = "write") -> int:
    match command:
        case "write":
            write()
        case "release":
            write()
            write(RELEASED)
        case "breaks":
            broken = [str(each) for each in found(released(), now())]
            sys.stdout.write("\n".join([*broken, f"{len(broken)} breaking changes"]) + "\n")
            return bool(broken)
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
