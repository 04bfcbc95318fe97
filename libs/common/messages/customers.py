"""What is told of customers: that they are there, never their address or name. Who needs those asks their owner."""

from typing import ClassVar, Literal
from uuid import UUID

from libs.common.messages import Fact

Status = Literal["active", "blocked"]


class _CustomerFact(Fact, frozen=True, kw_only=True):
    subject: ClassVar[str] = "customer_id"

    customer_id: UUID


class CustomerRegistered(_CustomerFact, frozen=True, kw_only=True):
    """Somebody has become a customer and can place orders."""

    type: ClassVar[str] = "store.customers.customer-registered.v1"

    status: Status


class CustomerUpdated(_CustomerFact, frozen=True, kw_only=True):
    """A customer's profile or status is new."""

    type: ClassVar[str] = "store.customers.customer-updated.v1"

    status: Status


class CustomerErased(_CustomerFact, frozen=True, kw_only=True):
    """A customer is forgotten: personal data is gone, and whoever holds a copy removes it."""

    type: ClassVar[str] = "store.customers.customer-erased.v1"
