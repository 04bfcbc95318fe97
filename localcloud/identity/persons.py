"""Who can sign in: one of each of our API's roles, and the first customers of the store."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from localcloud.assortment import PEOPLE
from localcloud.topology import Api

CUSTOMER = "Store.Customer"


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    name: str
    email: str
    role: str


def known(api: Api) -> list[Person]:
    """Staff are who `make token` makes them."""
    words = {role: role.rpartition(".")[2] for role in api.roles if role != CUSTOMER}
    staff = [
        Person(uuid5(api.client_id, word.lower()), word, f"{word.lower()}@example.org", role)
        for role, word in words.items()
    ]
    customers = [Person(each.id, each.name, each.email, CUSTOMER) for each in PEOPLE]
    return staff + customers if CUSTOMER in api.roles else staff


def find(api: Api, shown: str) -> Person | None:
    """One of those, or whoever has just become a customer: their id is all that we know of them."""
    try:
        person_id = UUID(shown)
    except ValueError:
        return None
    person = next((each for each in known(api) if each.id == person_id), None)
    if person is None and CUSTOMER in api.roles:
        return Person(person_id, "Customer", f"{person_id}@example.org", CUSTOMER)
    return person
