"""UUIDs that sort by time."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from libs.common.ids import uuid7, uuid7_beside

INSTANTS = st.integers(86_400, 2**34).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(INSTANTS)
def test_an_id_is_a_uuid_of_version_7_with_its_time_in_front(at: datetime) -> None:
    made = uuid7(at, secrets.randbits)

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(at.timestamp() * 1000)


@given(INSTANTS)
def test_a_later_id_is_greater(at: datetime) -> None:
    assert uuid7(at, lambda bits: 2**bits - 1) < uuid7(at + timedelta(milliseconds=2), lambda _: 0)


@given(INSTANTS)
def test_who_knows_when_it_was_made_and_for_whom_has_seventy_bits_to_guess(at: datetime) -> None:
    buyer = UUID(int=9)

    lowest = uuid7_beside(buyer, at, lambda _: 0)
    highest = uuid7_beside(buyer, at, lambda bits: 2**bits - 1)

    assert (lowest.int ^ highest.int).bit_count() == 70
