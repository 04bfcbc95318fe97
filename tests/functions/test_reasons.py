"""Whatever the store itself gives as a reason, it can say in German."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.reasons import KNOWN, in_german
from tests.functions.ours import Untraced, reasons_in

ROOT = Path(__file__).parents[2]


def ours() -> Iterator[str]:
    for folder in ("services", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from reasons_in(ast.parse(path.read_text()))


OURS = sorted(set(ours()))


@pytest.mark.parametrize("reason", OURS)
def test_every_reason_of_ours_has_german_words(reason: str) -> None:
    german = in_german(reason)

    assert german
    assert german != reason


def test_there_are_german_words_for_nothing_else() -> None:
    assert [pattern for pattern in KNOWN if not any(re.fullmatch(pattern, reason) for reason in OURS)] == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("OrderRejected(reason='too much')", ["too much"]),
        ("order.reject(f'{amount} is missing', at)", ["7 is missing"]),
        ("order.reject(said or 'no', at)", ["no"]),
        ("LATE: Reason = 'too late'", ["too late"]),
        ("class Cancellation:\n    reason: Text = 'by whoever'", ["by whoever"]),
        ("def why(stock) -> Reason:\n    if stock:\n        return 'gone'\n    return ''", ["gone"]),
        ("order.reject(wanted.reason, at)", []),
    ],
)
def test_a_reason_is_found_wherever_it_is_given(code: str, found: list[str]) -> None:
    assert list(reasons_in(ast.parse(code))) == found


def test_a_function_that_gives_reasons_and_does_not_say_so_is_found() -> None:
    code = (
        "def refuse(order):\n    flaw = flaw_of(order)\n    return RejectOrder(reason=flaw)\ndef flaw_of(o) -> {}: ..."
    )
    with pytest.raises(Untraced):
        list(reasons_in(ast.parse(code.format("str"))))

    assert list(reasons_in(ast.parse(code.format("Reason")))) == []


def test_several_reasons_are_translated_one_by_one() -> None:
    assert in_german("Lamp is sold out: 2 wanted, 1 left; Desk is no longer sold") == (
        "Lamp ist ausverkauft: 2 bestellt, 1 vorhanden; Desk wird nicht mehr verkauft"
    )
    assert in_german("Lamp; blue is no longer sold") == "Lamp; blue wird nicht mehr verkauft"


@pytest.mark.parametrize("reason", ["", "changed my mind", "Lamp is sold out; changed my mind", "x\ny"])
def test_other_words_are_left_to_those_who_said_them(reason: str) -> None:
    assert in_german(reason) is None


def test_what_looks_like_a_reference_in_a_name_is_a_name() -> None:
    assert in_german(r"\1 is no longer sold") == r"\1 wird nicht mehr verkauft"
