"""What is said most, read by a pattern and written by a template: the same as field by field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.servicebus import composites, frequent
from localcloud.servicebus.decoding import decode
from localcloud.servicebus.frames import Frame, Parser
from localcloud.servicebus.performatives import Accepted, Disposition, Transfer

NUMBERS = st.integers(0, 2**32 - 1)
TRUTHS = st.booleans()


@given(
    st.tuples(NUMBERS, NUMBERS, st.binary(min_size=4, max_size=5), NUMBERS, TRUTHS, TRUTHS).map(
        lambda of: Transfer(*of)
    )
    | st.tuples(TRUTHS, NUMBERS, st.none() | NUMBERS, TRUTHS, st.just(Accepted())).map(lambda of: Disposition(*of))
)
def test_what_is_read_by_a_pattern_is_what_is_read_field_by_field(said: Transfer | Disposition) -> None:
    encoded = composites.encode(said)

    assert composites.compose(decode(encoded)[0]) == said
    assert frequent.read(encoded, 0) in (None, (said, len(encoded)))


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (
            "00 53 14 c0 15 0b 52 03 52 02 a0 04 00 00 00 02 43 56 00 56 00 40 40 40 40 40",
            Transfer(3, 2, bytes([0, 0, 0, 2]), 0, settled=False, more=False),
        ),
        (
            "00 53 15 c0 0d 06 56 01 52 01 40 56 00 00 53 24 45 40",
            Disposition(role=True, first=1, settled=False, state=Accepted()),
        ),
    ],
    ids=["transfer", "disposition"],
)
def test_what_the_sdk_says_most_is_read_by_a_pattern(encoded: str, said: Transfer | Disposition) -> None:
    data = bytes.fromhex(encoded)

    assert frequent.read(data + b"payload", 0) == (said, len(data))
    assert composites.compose(decode(data)[0]) == said
    assert frequent.read(data.replace(b"\xc0\x15", b"\xc0\x16").replace(b"\xc0\x0d", b"\xc0\x0e"), 0) is None


@given(st.integers(0, 255), NUMBERS, st.binary(min_size=1, max_size=32), TRUTHS, TRUTHS, st.binary(max_size=300))
def test_what_is_written_by_a_template_is_read_back(
    channel: int, number: int, tag: bytes, settled: bool, more: bool, payload: bytes
) -> None:
    transfer = Transfer(9, number, tag, 0, settled, more)
    accepted = Disposition(role=settled, first=number, last=number, settled=True, state=Accepted())

    whole = frequent.delivery(channel, transfer, payload) + frequent.acceptance(channel, number, by_receiver=settled)

    assert list(Parser().feed(whole)) == [Frame(channel, transfer, payload), Frame(channel, accepted)]
