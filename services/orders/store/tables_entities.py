"""The entities of orders in Table Storage: what is in them, where they lie, and which change together."""

from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.common.entities import Change, Entity
from libs.common.ids import shard_of
from libs.common.messages.customers import Status as CustomerStatus
from services.orders.domain import Order, Price
from services.orders.store import Action
from services.orders.store.entries import NOBODY, Note, notes, settles

PRICES = "prices"
HIGHEST_ID = 2**128 - 1


class Key(Struct, frozen=True):
    key: str  # its row is made of a digest: a key may hold what rows may not
    fingerprint: bytes
    order_id: UUID
    answer: bytes
    at: datetime


class Past(Struct, frozen=True):
    """A line of the history."""

    version: int
    status: str
    at: datetime
    reason: str


class Listed(Struct, frozen=True):
    price: Price
    listed: bool


Standing = CustomerStatus | Literal["erased"]


class Known(Struct, frozen=True):
    """What is known of a customer."""

    status: Standing
    version: int


read_order = msgspec.json.Decoder(Order)
read_past = msgspec.json.Decoder(Past)
read_note = msgspec.json.Decoder(Note)
read_key = msgspec.json.Decoder(Key)
read_listed = msgspec.json.Decoder(Listed)
read_known = msgspec.json.Decoder(Known)


def partition(known: UUID) -> str:
    """A customer's, and the same for each of their orders."""
    return f"{shard_of(known):x}"


def newest_first(order_id: UUID) -> str:
    return f"{HIGHEST_ID - order_id.int:032x}"


def order_row(order_id: UUID) -> str:
    return f"o|{newest_first(order_id)}"


def waiting_row(order_id: UUID) -> str:
    return f"w|{order_id}"


def note_row(order_id: UUID, mark: str) -> str:
    return f"t|{order_id}|{sha256(mark.encode()).hexdigest()}"


def list_row(order: Order) -> str:
    return f"c|{order.customer_id}|{newest_first(order.id)}"


def key_row(customer_id: UUID, key: str) -> str:
    return f"i|{customer_id}|{sha256(key.encode()).hexdigest()}"


def placing(order: Order) -> Change:
    if shard_of(order.id) != shard_of(order.customer_id):
        raise ValueError("an order's id is made beside its customer's")
    change = Change(partition(order.customer_id))
    body = msgspec.json.encode(order)
    change.create(order_row(order.id), body)
    change.create(list_row(order), body)
    change.create(waiting_row(order.id))
    _settle(change, order, order.placed_at)
    change.tell(order.placed())
    return change


def write_act(change: Change, entity: Entity, order: Order, act: Action, heard: Note | None) -> None:
    before, version = order.status, order.version
    fact = act(order)
    noted = notes(before, order, fact, heard)
    if order.version != version or noted:  # so that an erasure sees what is written about the order
        _rewrite(change, entity, order)
    if fact and settles(before, order):
        _settle(change, order, fact.at)
    for note in noted:
        change.put(note_row(order.id, note.mark), msgspec.json.encode(note))
    if fact:
        change.tell(fact)


def _rewrite(change: Change, entity: Entity, order: Order) -> None:
    """And its copy on its customer's list, as long as it has a customer."""
    body = msgspec.json.encode(order)
    change.replace(entity, body)
    if order.customer_id != NOBODY:
        change.put(list_row(order), body)


def _settle(change: Change, order: Order, at: datetime) -> None:
    """In its history."""
    past = Past(order.version, order.status, at, order.reason)
    change.create(f"h|{order.id}|{order.version:010}", msgspec.json.encode(past))
