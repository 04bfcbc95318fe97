"""The languages of the letters: words for every fact, and money and rates as each writes them."""

import pytest

from functions.languages import ENGLISH, GERMAN, Language
from functions.letters import NAMES
from functions.notify_customer import HEARD


@pytest.mark.parametrize(
    ("language", "minor_units", "currency", "amount"),
    [
        (ENGLISH, 0, "EUR", "EUR 0.00"),
        (ENGLISH, 5, "USD", "USD 0.05"),
        (GERMAN, 123_456_789_01, "EUR", "123.456.789,01 EUR"),
        (ENGLISH, 1_500, "JPY", "JPY 1,500"),
        (GERMAN, 1_234_567, "KWD", "1.234,567 KWD"),
        (GERMAN, 9_007_199_254_740_993, "EUR", "90.071.992.547.409,93 EUR"),
    ],
)
def test_money_is_written_to_the_last_digit(language: Language, minor_units: int, currency: str, amount: str) -> None:
    assert language.amount(minor_units, currency) == amount


@pytest.mark.parametrize(("rate", "said"), [(1900, "19"), (700, "7"), (550, "5,5"), (1025, "10,25"), (5, "0,05")])
def test_a_rate_is_written_as_percent(rate: int, said: str) -> None:
    assert GERMAN.percent(rate) == said


def test_every_language_has_words_for_every_fact() -> None:
    for language in (ENGLISH, GERMAN):
        assert set(language.subject) == set(language.news) == set(NAMES) == set(HEARD)
