"""The rules of a customer, pure: who is one, what may change, and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from libs.common.errors import Conflict, Invalid
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated, Status

Language = Literal["en", "de"]

MOST_ADDRESSES = 10
UNNAMED = "main"  # what an address is called that came without a name

# ISO 3166-1 alpha-2, officially assigned.
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905  249 quoted strings are not easier to read
)


class AlreadyRegistered(Conflict):
    """You are registered already; change your profile with PUT /api/customers/{id}."""


@dataclass(frozen=True, slots=True)
class Address:
    street: str
    city: str
    postal_code: str
    country: str
    name: str = UNNAMED  # what its owner calls it
    phone: str = ""  # for whoever delivers there


@dataclass(frozen=True, slots=True)
class AddressBook:
    """The first address is for deliveries, unless an order says another one; `billing` names the one for bills."""

    addresses: tuple[Address, ...] = ()
    billing: str = ""

    @classmethod
    def of(cls, addresses: Sequence[Address], delivery: str | None = None, billing: str | None = None) -> Self:
        """Where none is named, the first one is for deliveries, and that one for bills, too. Raises Invalid."""
        _check_addresses(addresses)
        names = [address.name for address in addresses]
        for field_name, name in (("delivery_address", delivery), ("billing_address", billing)):
            if name is not None and name not in names:
                raise Invalid(field_name, "give the `name` of one of the addresses")
        ordered = sorted(addresses, key=lambda address: address.name != delivery)  # the others stay in their order
        return cls(tuple(ordered), billing or (ordered[0].name if ordered else ""))

    @property
    def delivery(self) -> Address | None:
        return self.addresses[0] if self.addresses else None

    def delivering_to(self, address: Address | None) -> Self:
        """Another address for deliveries, or none; all others stay. Raises Invalid."""
        known, others = self.delivery, self.addresses[1:]
        if address is None:
            billing = self.billing if self.billing in [other.name for other in others] else None
            return self.of(others, billing=billing)
        check_country(address.country, "address.country")
        name = known.name if known else address.name
        return self.of([replace(address, name=name), *others], billing=self.billing or None)


def _check_addresses(addresses: Sequence[Address]) -> None:
    if len(addresses) > MOST_ADDRESSES:
        raise Invalid("addresses", f"at most {MOST_ADDRESSES} addresses are kept")
    names = set[str]()
    for number, address in enumerate(addresses):
        check_country(address.country, f"addresses[{number}].country")
        if address.name in names:
            raise Invalid(f"addresses[{number}].name", "another address has this name")
        names.add(address.name)


def check_country(country: str, field_name: str) -> None:
    """Raises Invalid."""
    if country not in COUNTRIES:
        raise Invalid(field_name, "give the country's two letters of ISO 3166-1, such as DE")


@dataclass(frozen=True, slots=True)
class Preferences:
    """Which letters are wanted beside those about orders, which are always sent."""

    back_in_stock: bool = True  # about what one has asked to be told of
    marketing: bool = False  # only for who has said so


@dataclass(frozen=True, slots=True)
class Profile:
    """The personal data: all of it, and nowhere else."""

    name: str
    email: str
    language: Language
    book: AddressBook = AddressBook()
    preferences: Preferences = field(default_factory=Preferences)


@dataclass(slots=True)
class Customer:
    """Without a profile it is nobody: not registered yet, or erased.

    Version and status outlive erasure, so that facts told later still win over those told earlier, and that nobody
    escapes a block by being forgotten and registering again.
    """

    id: UUID
    profile: Profile | None = None
    status: Status = "active"
    version: int = 0

    def register(self, profile: Profile, at: datetime) -> CustomerRegistered:
        if self.profile is not None:
            raise AlreadyRegistered
        self._become(profile)
        return CustomerRegistered(customer_id=self.id, version=self.version, at=at, status=self.status)

    def replace(self, profile: Profile, status: Status, at: datetime) -> CustomerUpdated | None:
        if (profile, status) == (self.profile, self.status):
            return None  # nothing new is true
        self.status = status
        self._become(profile)
        return CustomerUpdated(customer_id=self.id, version=self.version, at=at, status=self.status)

    def erase(self, at: datetime) -> CustomerErased:
        self._become(None)
        return CustomerErased(customer_id=self.id, version=self.version, at=at)

    def _become(self, profile: Profile | None) -> None:
        self.profile, self.version = profile, self.version + 1
