"""The rules of a customer."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from libs.common.messages import Fact
from libs.common.messages.customers import CustomerErased, CustomerRegistered, CustomerUpdated
from services.customers.domain import Address, AddressBook, AlreadyRegistered, Customer, Profile

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA = UUID(int=1)
HOME = Address("1 Main St", "London", "N1", "GB", "home", "+44 20 1")
OFFICE = Address("2 Side St", "Paris", "75001", "FR", "office")
FARM = Address("Weg 3", "Köln", "50667", "DE", "farm")
PROFILE = Profile("Ada Lovelace", "ada@example.org", "en", AddressBook.of([Address("1 Main St", "London", "N1", "GB")]))


def registered() -> Customer:
    customer = Customer(ADA)
    customer.register(PROFILE, NOON)
    return customer


def test_to_register_is_told() -> None:
    customer = Customer(ADA)

    fact = customer.register(PROFILE, NOON)

    assert fact == CustomerRegistered(customer_id=ADA, version=1, at=NOON, status="active")
    assert (customer.profile, customer.version) == (PROFILE, 1)


def test_nobody_registers_twice() -> None:
    customer = registered()

    with pytest.raises(AlreadyRegistered):
        customer.register(PROFILE, NOON)

    assert customer == registered()


def test_a_new_profile_or_status_is_told() -> None:
    customer = registered()

    moved = customer.replace(replace(PROFILE, book=AddressBook()), "active", NOON)
    blocked = customer.replace(replace(PROFILE, book=AddressBook()), "blocked", NOON)

    assert moved == CustomerUpdated(customer_id=ADA, version=2, at=NOON, status="active")
    assert blocked == CustomerUpdated(customer_id=ADA, version=3, at=NOON, status="blocked")


def test_the_same_profile_is_no_news() -> None:
    customer = registered()

    assert customer.replace(PROFILE, "active", NOON) is None
    assert customer == registered()


def test_of_the_erased_nothing_personal_is_left() -> None:
    customer = registered()

    fact = customer.erase(NOON)

    assert fact == CustomerErased(customer_id=ADA, version=2, at=NOON)
    assert customer == Customer(ADA, profile=None, status="active", version=2)


def test_the_erased_may_come_back_and_their_versions_go_on() -> None:
    customer = registered()
    customer.erase(NOON)

    assert customer.register(PROFILE, NOON).version == 3


def test_a_block_outlives_erasure() -> None:
    customer = registered()
    customer.replace(PROFILE, "blocked", NOON)
    customer.erase(NOON)

    assert customer.register(PROFILE, NOON).status == "blocked"


@pytest.mark.parametrize("country", ["", "D", "de", "DEU", "ZZ", "UK", "D\u0415"])
def test_a_country_is_one_of_iso_3166(country: str) -> None:
    with pytest.raises(Invalid) as of_the_second:
        AddressBook.of([HOME, replace(OFFICE, country=country)])
    with pytest.raises(Invalid) as of_the_only:
        AddressBook().delivering_to(replace(HOME, country=country))

    assert (of_the_second.value.field, of_the_only.value.field) == ("addresses[1].country", "address.country")


def test_the_first_address_is_for_deliveries_and_bills_unless_others_are_named() -> None:
    as_given = AddressBook.of([HOME, OFFICE, FARM])
    named = AddressBook.of([HOME, OFFICE, FARM], delivery="farm", billing="office")

    assert (as_given.delivery, as_given.billing) == (HOME, "home")
    assert named == AddressBook((FARM, HOME, OFFICE), "office")
    assert AddressBook.of([]) == AddressBook((), "")


@pytest.mark.parametrize(
    ("addresses", "chosen", "field"),
    [
        ([HOME, replace(OFFICE, name="home")], {}, "addresses[1].name"),
        ([replace(HOME, name=str(number)) for number in range(11)], {}, "addresses"),
        ([HOME], {"delivery": "farm"}, "delivery_address"),
        ([HOME], {"billing": "farm"}, "billing_address"),
        ([], {"billing": "home"}, "billing_address"),
    ],
)
def test_addresses_are_ten_at_most_with_a_name_each_and_only_those_can_be_chosen(
    addresses: list[Address], chosen: dict[str, str], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        AddressBook.of(addresses, **chosen)

    assert refusal.value.field == field


def test_another_address_for_deliveries_leaves_all_others() -> None:
    book = AddressBook.of([HOME, OFFICE, FARM], billing="office")

    moved = book.delivering_to(FARM)
    gone = book.delivering_to(None)

    assert moved == AddressBook((replace(FARM, name="home"), OFFICE, FARM), "office")
    assert gone == AddressBook((OFFICE, FARM), "office")
    assert gone.delivering_to(None).delivering_to(None) == AddressBook()
    assert AddressBook.of([HOME, OFFICE]).delivering_to(None).billing == "office"
    assert AddressBook().delivering_to(HOME) == AddressBook((HOME,), "home")


names = st.text(min_size=20, max_size=40)
profiles = st.builds(Profile, names, names, st.sampled_from(["en", "de"]))


@given(st.lists(st.tuples(profiles, st.sampled_from(["active", "blocked"])) | st.none(), max_size=20))
def test_every_change_is_told_once_under_the_next_version_and_without_personal_data(
    wishes: list[tuple[Profile, str] | None],
) -> None:
    customer, facts = Customer(ADA), list[Fact]()

    for wish in wishes:
        facts += [fact] if (fact := act(customer, wish)) else []

    assert [fact.version for fact in facts] == list(range(1, len(facts) + 1))
    assert customer.version == len(facts)
    told = msgspec.json.encode(facts).decode()
    assert not any(wish and wish[0].name in told for wish in wishes)


def act(customer: Customer, wish: tuple[Profile, str] | None) -> Fact | None:
    if wish is None:
        return customer.erase(NOON) if customer.profile else None
    if customer.profile is None:
        return customer.register(wish[0], NOON)
    return customer.replace(wish[0], "blocked" if wish[1] == "blocked" else "active", NOON)
