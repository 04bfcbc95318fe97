"""What the store knows of its customers, says to them, and forgets."""

import csv
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest

from tests.stories.ground import told_on_each_engine
from tests.stories.shop import Buyer, Shop
from tests.stories.store import RunningStore
from tests.waiting import until

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("store")]

HOME = {"name": "Hof", "street": "Am Geheimen Weg 1", "city": "Köln", "postal_code": "50667", "country": "DE"}
OFFICE = HOME | {"name": "Büro", "street": "Verborgene Gasse 2", "phone": "+49 221 555"}


async def german(shop: Shop) -> tuple[Buyer, dict[str, Any]]:
    """Somebody with two addresses."""
    buyer = Buyer(shop, uuid4())
    name = buyer.id.hex[:10]
    said = {"name": f"Ada {name}", "email": f"{name}@example.org", "language": "de", "addresses": [HOME, OFFICE]}
    made = await buyer.call("POST", "/api/customers", json=said | {"billing_address": "Büro"})
    assert made.status == 201, made
    return buyer, made.body


@told_on_each_engine
async def test_a_customer_changes_their_profile_and_staff_find_it(shop: Shop) -> None:
    buyer, known = await german(shop)
    read = await buyer.call("GET", f"/api/customers/{buyer.id}")
    kept = ("name", "email", "language", "addresses", "billing_address")
    wanted = {name: known[name] for name in kept} | {"delivery_address": "Büro", "preferences": {"marketing": True}}

    changed = await buyer.call("PUT", f"/api/customers/{buyer.id}", json=wanted, headers={"If-Match": read.etag})
    stale = await buyer.call("PUT", f"/api/customers/{buyer.id}", json=wanted, headers={"If-Match": read.etag})
    blind = await buyer.call("PUT", f"/api/customers/{buyer.id}", json=wanted)

    assert (changed.status, stale.status, blind.status) == (200, 412, 428)
    assert [address["name"] for address in changed.body["addresses"]] == ["Büro", "Hof"]
    found = await shop.as_admin("GET", f"/api/customers?email={known['email'].upper()}")
    assert found.body["items"] == [changed.body]
    assert (await buyer.call("GET", "/api/customers")).status == 403


@told_on_each_engine
async def test_staff_page_through_all_customers(shop: Shop) -> None:
    made = [str((await german(shop))[0].id) for _ in range(3)]

    seen, path = list[str](), "/api/customers?limit=2"
    while path:
        page = await shop.as_admin("GET", path)
        seen += [customer["id"] for customer in page.body["items"]]
        path = page.headers.get("Link", "").partition(">")[0].lstrip("<")

    assert set(made) <= set(seen)
    assert seen == sorted(set(seen))


@told_on_each_engine
async def test_letters_and_their_reasons_are_german_for_who_speaks_it(shop: Shop) -> None:
    (buyer, _), product = await german(shop), await shop.product(stock=1)

    order = await buyer.settled(await buyer.order(product, quantity=2))

    letter = await buyer.letter()
    assert (order["status"], letter["subject"]) == ("rejected", "Ihre Bestellung konnte nicht angenommen werden")
    assert "Mug ist ausverkauft: 2 bestellt, 1 vorhanden" in await shop.letter_text(letter["id"])


@told_on_each_engine
async def test_all_that_is_held_on_a_customer_comes_as_a_table_too(shop: Shop) -> None:
    (buyer, _), product = await german(shop), await shop.product(stock=5)
    order_id = await buyer.order(product)
    await buyer.settled(order_id)

    answer = await buyer.call("GET", f"/api/customer-data/{buyer.id}", headers={"Accept": "text/csv"})
    other = await buyer.call("GET", f"/api/customer-data/{buyer.id}", headers={"Accept": "image/png"})

    rows = list(csv.DictReader(StringIO(answer.content.decode(), newline="")))
    kinds = [row["kind"] for row in rows]
    assert kinds[:6] == ["profile", "address", "address", "preferences", "order", "line"]
    assert set(kinds[6:]) == {"event"}
    assert ("payment", "authorised") in [(row["event"], row["name"]) for row in rows[6:]]
    assert (rows[2]["phone"], rows[4]["id"], rows[5]["order_id"]) == ("'+49 221 555", order_id, order_id)
    assert other.status == 406


@told_on_each_engine
async def test_the_erased_get_no_letter_and_those_they_got_are_forgotten(shop: Shop, running: RunningStore) -> None:
    (buyer, _), product = await german(shop), await shop.product(stock=5)
    await buyer.settled(await buyer.order(product))
    await buyer.letter()

    with running.paused("functions"):
        await buyer.order(product)
        assert (await buyer.call("DELETE", f"/api/customers/{buyer.id}")).status == 204
    await running.quiet()

    assert await shop.letters(buyer) == []


async def test_an_address_that_is_taken_is_refused_and_no_log_names_it(shop: Shop, running: RunningStore) -> None:
    buyer, known = await german(shop)
    other = Buyer(shop, uuid4())

    refused = await other.call("POST", "/api/customers", json={"name": "Eve", "email": known["email"]})
    for path in (f"/api/customers?email={known['email']}", f"/api/customers/{buyer.id}"):
        assert (await shop.as_admin("GET", path)).status == 200
    await until(lambda: shop.as_admin("GET", "/api/customers?limit=1"), lambda answer: answer.status == 200)

    assert (refused.status, refused.body["title"]) == (409, "Email taken")
    assert running.logged(buyer.id.hex[:10].encode()) == {}
    assert running.logged(b"Geheimen Weg") == running.logged(b"221 555") == {}
