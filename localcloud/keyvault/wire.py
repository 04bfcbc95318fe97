"""The bodies of Key Vault: what may be sent, and what is shown."""

import re
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from localcloud.keyvault.refusals import BadParameter
from localcloud.keyvault.secret import RETENTION, Change, Deleted, Kept, Secret

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
API_VERSION = re.compile(r"7\.[0-6](-preview\.\d)?|20\d\d-\d\d-\d\d(-preview)?")
LARGEST_VALUE = 25 * 1024  # bytes of UTF-8
LARGEST_REQUEST = 10 * LARGEST_VALUE  # JSON may spell a byte in six
RECOVERY_LEVEL = "Recoverable+Purgeable"

Moment = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # until the end of 9999
ContentType = Annotated[str, Meta(max_length=255)]
TagText = Annotated[str, Meta(max_length=512)]
Tags = Annotated[dict[TagText, TagText], Meta(max_length=15)]
T = TypeVar("T", bound=Struct)


class Attributes(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    enabled: bool | None = None
    nbf: Moment | None = None
    exp: Moment | None = None
    created: int | None = None  # these four are ours to say: whoever sends back what they got is not refused
    updated: int | None = None
    recovery_level: str | None = None
    recoverable_days: int | None = None


class Creation(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    value: str
    content_type: ContentType | None = None
    tags: Tags | None = None
    attributes: Attributes = Attributes()


class Update(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    content_type: ContentType | None = None
    tags: Tags | None = None
    attributes: Attributes = Attributes()


class Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    value: str


class ShownAttributes(Struct, frozen=True, omit_defaults=True, rename="camel"):
    enabled: bool
    created: int
    updated: int
    recovery_level: str
    recoverable_days: int
    nbf: int | None = None
    exp: int | None = None


class Bundle(Struct, frozen=True, omit_defaults=True, rename="camel"):
    id: str
    attributes: ShownAttributes
    value: str | None = None
    content_type: str | None = None
    tags: dict[str, str] | None = None
    recovery_id: str | None = None
    deleted_date: int | None = None
    scheduled_purge_date: int | None = None


class Listed(Struct, frozen=True, rename="camel"):
    value: list[Bundle]
    next_link: str | None


class Problem(Struct, frozen=True, omit_defaults=True):
    code: str
    message: str = ""
    innererror: "Problem | None" = None


class Failed(Struct, frozen=True):
    error: Problem


def name_of(request: web.Request) -> str:
    """In small letters: a secret's name has no case. Empty where none is asked for. Raises BadParameter."""
    name = request.match_info.get("name")
    if name is not None and not NAME.fullmatch(name):
        raise BadParameter(f"The request URI contains an invalid name: {name}")
    return (name or "").lower()


def check_version(request: web.Request) -> None:
    """Raises BadParameter."""
    version = request.query.get("api-version")
    if not version:
        raise BadParameter("api-version must be specified")
    if not API_VERSION.fullmatch(version):
        raise BadParameter(f"The specified version ({version}) is not recognized.")


def secret_of(content: bytes, name: str) -> Secret:
    """Raises BadParameter."""
    body = _decode(content, Creation)
    if len(body.value.encode()) > LARGEST_VALUE:
        raise BadParameter(f"The value has more than {LARGEST_VALUE} bytes.")
    said = body.attributes
    enabled = said.enabled is not False
    return Secret(body.value, body.content_type, body.tags, enabled, said.nbf, said.exp, written=name)


def change_of(content: bytes) -> Change:
    """Raises BadParameter."""
    body = _decode(content, Update)
    said = body.attributes
    return Change(body.content_type, body.tags, said.enabled, said.nbf, said.exp)


def backup_of(content: bytes) -> str:
    """Raises BadParameter."""
    return _decode(content, Sealed).value


def attributes(kept: Kept) -> ShownAttributes:
    secret = kept.secret
    updated = kept.created if secret.updated is None else secret.updated
    return ShownAttributes(
        secret.enabled, kept.created, updated, RECOVERY_LEVEL, RETENTION.days, secret.nbf, secret.exp
    )


def bundle(vault: str, kept: Kept) -> Bundle:
    """Without its value."""
    address = f"{vault}/secrets/{kept.shown}/{kept.version}"
    return Bundle(address, attributes(kept), content_type=kept.secret.content_type, tags=kept.secret.tags)


def unversioned(vault: str, kept: Kept) -> Bundle:
    return msgspec.structs.replace(bundle(vault, kept), id=f"{vault}/secrets/{kept.shown}")


def removed(shown: Bundle, vault: str, deleted: Deleted) -> Bundle:
    """What is shown of a secret, with what became of it."""
    return msgspec.structs.replace(
        shown,
        recovery_id=f"{vault}/deletedsecrets/{deleted.kept.shown}",
        deleted_date=deleted.at,
        scheduled_purge_date=deleted.purged,
    )


def _decode(content: bytes, of: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=of)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadParameter(str(error)) from error
