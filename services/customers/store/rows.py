"""What is kept of customers, as rows of a table: the same on every engine."""

from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.archive import MESSAGING, Row
from libs.common.messages.customers import Status
from services.customers.domain import UNNAMED, Address, AddressBook, Customer, Language, Preferences, Profile


class KeptBook(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All addresses, in the form of the one for deliveries: the version before reads that, and passes over the rest.

    Whatever it writes is the only address; whoever it erases leaves none.
    """

    street: str
    city: str
    postal_code: str
    country: str
    name: str = UNNAMED
    phone: str = ""
    billing: str = ""  # the name of one, where it is another than this
    others: tuple[Address, ...] = ()


class CustomerRow(Row, frozen=True, kw_only=True):
    table = "customers"
    sorted_by = ("id",)

    id: UUID
    name: str | None
    email: str | None
    language: str | None
    address: KeptBook | None
    preferences: Preferences | None = None
    status: str
    version: int

    @classmethod
    def of(cls, customer: Customer) -> "CustomerRow":
        known = cls(
            id=customer.id,
            name=None,
            email=None,
            language=None,
            address=None,
            status=customer.status,
            version=customer.version,
        )
        return msgspec.structs.replace(known, **_personal(customer.profile)) if customer.profile else known

    def customer(self) -> Customer:
        return Customer(self.id, self._profile(), cast(Status, self.status), self.version)

    def _profile(self) -> Profile | None:
        if self.name is None or self.email is None or self.language is None:
            return None
        language, wanted = cast(Language, self.language), self.preferences or Preferences()
        return Profile(self.name, self.email, language, book_of(self.address), wanted)


def _personal(profile: Profile) -> dict[str, Any]:
    said = {"name": profile.name, "email": profile.email, "language": profile.language}
    return {**said, "address": kept(profile.book), "preferences": profile.preferences}


def kept(book: AddressBook) -> KeptBook | None:
    if book.delivery is None:
        return None
    first = msgspec.structs.asdict(msgspec.convert(book.delivery, KeptBook, from_attributes=True))
    billing = "" if book.billing == book.delivery.name else book.billing
    return KeptBook(**first | {"billing": billing, "others": book.addresses[1:]})


def book_of(found: KeptBook | None) -> AddressBook:
    if found is None:
        return AddressBook()
    first = Address(found.street, found.city, found.postal_code, found.country, found.name, found.phone)
    return AddressBook((first, *found.others), found.billing or found.name)


ROWS: tuple[type[Row], ...] = (CustomerRow, *MESSAGING)
