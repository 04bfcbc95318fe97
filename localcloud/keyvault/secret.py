"""A secret's versions, what can be changed of one, and what a deletion leaves."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from localcloud.keyvault.refusals import BadParameter, Disabled

RETENTION = timedelta(days=90)  # of what is deleted


class Secret(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One version's content, as it lies on disk."""

    value: str
    content_type: str | None = None
    tags: dict[str, str] | None = None
    enabled: bool = True
    nbf: int | None = None  # that and `exp` only inform: Azure hands out what has expired, too
    exp: int | None = None
    updated: int | None = None  # None: when it was created
    written: str | None = None  # its name, as it was set; None: in small letters

    def __post_init__(self) -> None:
        if self.nbf is not None and self.exp is not None and self.exp <= self.nbf:
            raise BadParameter("The attribute exp must be later than nbf.")


class Change(Struct, frozen=True):
    """What is None stays as it is."""

    content_type: str | None = None
    tags: dict[str, str] | None = None
    enabled: bool | None = None
    nbf: int | None = None
    exp: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of a secret."""

    number: int  # rises with every version
    name: str  # in small letters
    version: str
    created: int  # seconds since 1970
    secret: Secret

    @property
    def shown(self) -> str:
        """Its name, which is found in any case."""
        return self.secret.written or self.name

    def readable(self) -> "Kept":
        """Itself. Raises Disabled."""
        if not self.secret.enabled:
            raise Disabled
        return self

    def changed(self, change: Change, at: datetime) -> "Kept":
        """Raises BadParameter."""
        said = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
        return replace(self, secret=msgspec.structs.replace(self.secret, **said, updated=int(at.timestamp())))


@dataclass(frozen=True, slots=True)
class Deleted:
    kept: Kept  # the newest version
    at: int
    purged: int  # when it will be
