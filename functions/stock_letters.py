"""The letters about stock, in English and German: to the staff that little is left, to customers that there is some."""

from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP

from functions import letterhead
from functions.api import Customer
from functions.letterhead import Content
from libs.common.errors import Malformed
from libs.common.messages.catalog import BackInStock, StockLow


@dataclass(frozen=True, slots=True)
class Words:
    code: str
    low: str  # the subject
    low_news: str
    article: str
    on_hand: str
    reorder_level: str
    back: str  # the subject
    greeting: str
    back_news: str
    closing: str


ENGLISH = Words(
    code="en",
    low="Little is left: {name}",
    low_news="{name} ({sku}) is running out. You wanted to hear when no more than {level} are on hand.",
    article="Article",
    on_hand="On hand",
    reorder_level="Reorder level",
    back="Back in stock: {name}",
    greeting="Hello {name},",
    back_news="you wanted to hear when there is some of it again: {name} ({sku}) is back in stock. "
    "It is not set aside for you, so do not wait too long.",
    closing="Kind regards\nYour store",
)
GERMAN = Words(
    code="de",
    low="Es wird knapp: {name}",
    low_news="{name} ({sku}) geht zur Neige. Sie wollten es wissen, wenn nur noch {level} oder weniger da sind.",
    article="Artikel",
    on_hand="Vorrätig",
    reorder_level="Meldebestand",
    back="Wieder da: {name}",
    greeting="Guten Tag {name},",
    back_news="Sie wollten es wissen, sobald es wieder etwas davon gibt: {name} ({sku}) ist wieder vorrätig. "
    "Für Sie zurückgelegt ist nichts; warten Sie also nicht zu lange.",
    closing="Mit freundlichen Grüßen\nIhr Store",
)
LANGUAGES = {words.code: words for words in (ENGLISH, GERMAN)}


def stock_low(fact: StockLow, *, recipient: str, sender: str, language: str, traceparent: str) -> EmailMessage:
    """The same fact makes a letter of the same Message-ID. Raises Malformed where the recipient is no address."""
    letter, words = EmailMessage(policy=SMTP), LANGUAGES.get(language, ENGLISH)
    letter["Message-ID"] = f"<stock-low-{fact.product_id}-{fact.version}@store>"
    letter["Date"] = fact.at
    letter["From"] = sender
    try:
        letter["To"] = recipient
    except (IndexError, ValueError, MessageError):
        raise Malformed("STAFF_MAIL can't stand in a letter") from None
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes, please
    letter["X-Trace-Id"] = traceparent.split("-")[1]
    content = Content(
        language=words.code,
        title=words.low.format(name=fact.name),
        paragraphs=[words.low_news.format(name=fact.name, sku=fact.sku, level=fact.reorder_level)],
        details=[
            (words.article, f"{fact.name} ({fact.sku})"),
            (words.on_hand, str(fact.on_hand)),
            (words.reorder_level, str(fact.reorder_level)),
        ],
        closing=words.closing,
    )
    letterhead.fill(letter, content)
    return letter


def back_in_stock(fact: BackInStock, customer: Customer, *, sender: str, traceparent: str) -> EmailMessage:
    """The same fact makes a customer's letter of the same Message-ID. Raises Malformed, as `envelope` does."""
    words = LANGUAGES.get(customer.language, ENGLISH)
    message_id = f"back-in-stock-{fact.product_id}-{fact.version}-{customer.id}"
    letter = letterhead.envelope(message_id, customer, fact.at, sender=sender, traceparent=traceparent)
    content = Content(
        language=words.code,
        title=words.back.format(name=fact.name),
        paragraphs=[
            words.greeting.format(name=customer.name),
            words.back_news.format(name=fact.name, sku=fact.sku),
        ],
        closing=words.closing,
    )
    letterhead.fill(letter, content)
    return letter
