"""What a product is found by, and how well it fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.catalog.domain import Details
from services.catalog.search import LONGEST_TERM, MOST_TERMS, Weight, attribute, points, sought, terms, words

LAMP = Details(
    "LAMP-7",
    "Léa's Lamp",
    "Gives light.",
    4900,
    "EUR",
    None,
    attributes={"color": "Dark Red", "watts": 5, "dim": False},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lamp lamp LAMP", ["lamp"]),
        ("Äpfel, Straße & İstanbul", ["apfel", "strasse", "istanbul"]),
        ("100% juice_x", ["100", "juice", "x"]),
        ("ﬁve ＬＡＭＰＳ", ["five", "lamps"]),  # noqa: RUF001
        ("東京 Καφές", ["東京", "καφεσ"]),
        ("% _ \\ 🎉", []),
        ("", []),
    ],
)
def test_a_word_is_letters_and_digits_whatever_its_case_and_accents(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(max_size=300))
def test_whatever_is_written_is_found_by_each_of_its_words_and_their_beginnings(text: str) -> None:
    found = terms(Details("S", "n", text, 1, "EUR", None))

    assert all(points(found, [word[:length]]) > 0 for word in words(text) for length in (1, len(word)))
    assert all(len(term) <= LONGEST_TERM for term in found)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("lamp", 4),
        ("lam", 3),
        ("light", 2),
        ("red", 2),
        ("li", 1),
        ("watts", 2),
        ("5", 2),
        ("lamp 7", 8),
        ("LÀMP gives", 6),
        ("amp", 0),
        ("dim", 0),
        ("lamp desk", 0),
        ("%", 0),
    ],
)
def test_name_and_sku_weigh_more_and_a_whole_word_more_than_its_beginning(wanted: str, expected: int) -> None:
    assert points(terms(LAMP), sought(wanted)) == expected


def test_an_attribute_is_asked_for_by_its_value_as_it_is_spoken() -> None:
    found = terms(LAMP)

    assert {attribute("color", "dark red"), attribute("watts", "5"), attribute("dim", "false")} <= found.keys()
    assert not {attribute("color", "dark"), attribute("Color", "dark red"), attribute("dim", "true")} & found.keys()


def test_of_a_long_text_the_name_and_the_attributes_are_kept() -> None:
    long = Details("S-1", "Lamp", " ".join(map(str, range(5000))), 1, "EUR", None, attributes={"color": "red"})

    found = terms(long)

    assert len(found) == MOST_TERMS
    assert (found["lamp"], found[attribute("color", "red")]) == (Weight.NAME, Weight.TEXT)


def test_too_many_words_are_refused() -> None:
    assert len(sought(" ".join(map(str, range(10))))) == 10
    with pytest.raises(Invalid, match="11 words"):
        sought(" ".join(map(str, range(11))))
