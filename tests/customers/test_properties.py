"""Whatever is asked of the customers store in whatever order, on every engine: it answers as a dictionary would."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.database import Database
from libs.common.errors import NotFound, Stale, StoreError
from libs.common.messages import Fact
from libs.common.messages.customers import Status
from services.customers.domain import Address, AddressBook, Customer, Preferences, Profile
from services.customers.store import Action, EmailTaken, Store, Wanted, migrate, open_store
from tests.engines.models import Bench, Comparison, Told, compare, telling, verb

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]  # a failure is made shorter for up to five minutes

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROUNDS = {"postgres": 8, "tables": 2, "azuresql": 6}
LONDON = Address("1 Main St", "London", "N1", "GB", "home")
PARIS = Address("2 Side St", "Paris", "75001", "FR", "office", "+33 1")
BOOKS = AddressBook(), AddressBook.of([LONDON, PARIS], billing="office")
WANTED = Preferences(), Preferences(back_in_stock=False, marketing=True)

PEOPLE = 1, 2, 3
NAMES = "Ada", "Müller 🎉 O'Brien"
EMAILS = "ada@shop.example", "ADA@shop.Example", "bob@shop.example", "i@i.example"
PROFILES = [
    Profile(name, email, "en", book, wanted)
    for email in EMAILS
    for name, book, wanted in zip(NAMES, BOOKS, WANTED, strict=True)
]
STATUSES: tuple[Status, ...] = "active", "blocked"
SEEN = None, 0, 0, -1, 1  # how far the version that a caller has read is from the newest


@dataclass(slots=True)
class Model:
    customers: dict[UUID, Customer] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    def known(self, who: UUID) -> Customer:
        return replace(self.customers.get(who, Customer(who)))

    def read(self, who: UUID) -> Customer | type[StoreError]:
        return self.known(who) if self.known(who).profile else NotFound

    def change(self, who: UUID, act: Action, version: int | None) -> Customer | type[StoreError]:
        customer = self.read(who)
        if isinstance(customer, Customer) and version not in (None, customer.version):
            return Stale
        return self.register(who, act) if isinstance(customer, Customer) else customer

    def register(self, who: UUID, act: Action) -> Customer | type[StoreError]:
        customer = self.known(who)
        try:
            fact = act(customer)
        except StoreError as refusal:
            return type(refusal)
        if customer.profile and self.is_taken(customer.profile.email, who):
            return EmailTaken
        if fact:
            self.customers[who] = customer
            self.facts.append(fact)
        return replace(customer)

    def page(self, wanted: Wanted, after: UUID) -> list[Customer]:
        known = [self.known(who) for who in sorted(self.customers) if who > after]
        return [each for each in known if each.profile and self.fits(each, each.profile, wanted)]

    def fits(self, customer: Customer, profile: Profile, wanted: Wanted) -> bool:
        same = wanted.email is None or wanted.email.lower() == profile.email.lower()
        return same and wanted.status in (None, customer.status)

    def is_taken(self, email: str, by_another_than: UUID) -> bool:
        profiles = [each.profile for each in self.customers.values() if each.id != by_another_than]
        return email.lower() in [profile.email.lower() for profile in profiles if profile]


class Customers(Comparison):
    def __init__(self, bench: Bench, store: Store) -> None:
        super().__init__(bench)
        self.store, self.model, self.at = store, Model(), NOON

    def ours(self, profile: Profile) -> Profile:
        """Nobody of another example has this address."""
        return replace(profile, email=f"{self.number}.{profile.email}")

    @verb(who=PEOPLE, profile=PROFILES)
    def register(self, who: int, profile: Profile) -> None:
        at, profile = self.now(), self.ours(profile)
        self.both_register(self.id(who), lambda customer: customer.register(profile, at))

    @verb(who=PEOPLE, profile=PROFILES, status=STATUSES, seen=SEEN)
    def change(self, who: int, profile: Profile, status: Status, seen: int | None) -> None:
        at, profile = self.now(), self.ours(profile)
        self.both_change(self.id(who), lambda customer: customer.replace(profile, status, at), seen)

    @verb(who=PEOPLE, status=STATUSES, seen=SEEN)
    def block_or_unblock(self, who: int, status: Status, seen: int | None) -> None:
        at, profile = self.now(), self.model.known(self.id(who)).profile
        if profile:
            self.both_change(self.id(who), lambda customer: customer.replace(profile, status, at), seen)

    @verb(who=PEOPLE, seen=SEEN)
    def erase(self, who: int, seen: int | None) -> None:
        at = self.now()
        self.both_change(self.id(who), lambda customer: customer.erase(at), seen)

    @verb(who=(None, *PEOPLE), status=(None, *STATUSES), email=(None, *EMAILS), limit=(2, 100))
    def list_them(self, who: int | None, status: Status | None, email: str | None, limit: int) -> None:
        """From somebody on; there are others' customers beyond, so at most as many as there are of ours."""
        wanted = Wanted(email and f"{self.number}.{email}", status)
        after = self.id(who or 0)
        expected = self.model.page(wanted, after)[:limit]
        page = self.run(self.store.page(wanted, after, limit))
        ours = [customer for customer in page.customers if customer.id <= self.id(9)]
        assert ours == expected

    def both_register(self, who: UUID, act: Action) -> None:
        self.agree_on(who, self.outcome(self.store.register(who, act)), self.model.register(who, act))

    def both_change(self, who: UUID, act: Action, seen: int | None) -> None:
        version = None if seen is None else self.model.known(who).version + seen
        answered = self.outcome(self.store.change(who, act, version=version))
        self.agree_on(who, answered, self.model.change(who, act, version))

    def agree_on(self, who: UUID, answered: object, expected: object) -> None:
        assert answered == expected
        assert self.outcome(self.store.read(who)) == self.model.read(who)

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def look(self, told: Told) -> None:
        for who in map(self.id, (1, 2, 3, 4)):
            assert self.outcome(self.store.read(who)) == self.model.read(who)
        assert told == telling(self.model.facts)


async def test_customers_are_what_was_said_of_them_last(any_database: Database) -> None:
    await migrate(any_database)
    store = await open_store(any_database)

    await compare(Customers, lambda bench: Customers(bench, store), any_database, rounds=ROUNDS[any_database.engine])
