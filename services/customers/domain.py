"""The rules of a customer, pure: who is one, what may change, and what is told of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.common.errors import Conflict, Invalid
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated, Status

Language = Literal["en", "de"]

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

    def __post_init__(self) -> None:
        if self.country not in COUNTRIES:
            raise Invalid("address.country", "give the country's two letters of ISO 3166-1, such as DE")


@dataclass(frozen=True, slots=True)
class Profile:
    """The personal data: all of it, and nowhere else."""

    name: str
    email: str
    language: Language
    address: Address | None


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
