"""List cursors."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.cursors import Cursors
from libs.common.errors import Invalid

CURSORS = Cursors(b"a key")


@given(st.tuples(st.integers(-(2**53), 2**53), st.text()))
def test_a_cursor_opens_to_where_it_was_sealed(position: tuple[int, str]) -> None:
    assert CURSORS.open(CURSORS.seal(position), tuple[int, str]) == position


@given(st.text(max_size=80))
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        CURSORS.open(cursor, UUID)

    assert refusal.value.field == "cursor"


def test_a_cursor_of_another_key_or_another_list_is_refused() -> None:
    for cursor in (Cursors(b"another").seal(UUID(int=1)), CURSORS.seal([1, 2])):
        with pytest.raises(Invalid):
            CURSORS.open(cursor, UUID)
