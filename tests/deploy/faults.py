"""One fault at a time is put into documents that are right, and has to be named."""

from collections.abc import Iterable, Sequence
from typing import Any

from deploy.lint.documents import Document, title

GONE = object()

# A document, the path in it (keys with spaces between), what is there instead, and what has to be said.
Fault = tuple[str, str, object, str]


def edit(document: Any, path: str, value: object) -> None:
    *above, last = [int(key) if key.isdigit() else key for key in path.split()]
    for key in above:
        document = document[key]
    if value is GONE:
        del document[last]
    else:
        document[last] = value


def find(documents: Sequence[Document], name: str) -> Document:
    """kustomize has given ConfigMaps a hash at the end."""
    return next(each for each in documents if title(each) == name or title(each).rpartition("-")[0] == name)


def is_said(expected: str, complaints: Iterable[str]) -> bool:
    return any(expected in complaint for complaint in complaints)
