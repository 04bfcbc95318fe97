"""How every letter looks: as text, and as HTML that needs nothing from elsewhere and leaves colours to the reader.

No background and no text colour is set, so a dark mail box stays dark; lines are of a grey that shows on both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import NamedTuple

from functions.api import Customer
from libs.common.errors import Malformed

BODY = "margin:0;padding:24px 16px;font-family:system-ui,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px"
PAPER = "max-width:600px;margin:0 auto;padding-top:16px;border-top:4px solid #2f8f75;line-height:1.5"
TITLE = "font-size:22px;line-height:1.3;margin:0 0 16px"
TABLE = "width:100%;border-collapse:collapse;margin:16px 0"
CAPTION = "text-align:left;padding:0 0 8px;overflow-wrap:anywhere"
LEFT = "text-align:left;vertical-align:top;padding:8px 8px 8px 0;border-bottom:1px solid #808080;font-weight:normal"
RIGHT = "text-align:right;vertical-align:top;padding:8px 0 8px 8px;border-bottom:1px solid #808080;white-space:nowrap"
SUM = "text-align:left;padding:8px 8px 0 0"
SUMMED = "text-align:right;padding:8px 0 0 8px;white-space:nowrap"


class Row(NamedTuple):
    article: str
    sku: str
    quantity: int
    price: str


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    columns: tuple[str, str, str]  # article, quantity, price
    rows: Sequence[Row]
    sums: Sequence[tuple[str, str]]  # what it is, and how much


@dataclass(frozen=True, slots=True)
class Content:
    """Plain text everywhere; what is HTML in it is shown as it is."""

    language: str
    title: str
    paragraphs: Sequence[str]
    closing: str
    details: Sequence[tuple[str, str]] = field(default_factory=tuple)  # such as the reason, or where a parcel is
    table: Table | None = None


def envelope(message_id: str, customer: Customer, at: datetime, *, sender: str, traceparent: str) -> EmailMessage:
    """A letter without content. `message_id` is the same for a repeat, so that whoever keeps letters can tell it.

    Raises Malformed where the customer's name or address can't stand in a header.
    """
    letter = EmailMessage(policy=SMTP)
    letter["Message-ID"] = f"<{message_id}@store>"
    letter["Date"] = at
    letter["From"] = sender
    letter["To"] = _recipient(customer)
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes, please
    letter["X-Customer-Id"] = str(customer.id)  # so that who keeps letters can forget those of the erased
    letter["X-Trace-Id"] = traceparent.split("-")[1]
    return letter


def fill(letter: EmailMessage, content: Content) -> None:
    letter["Subject"] = content.title
    letter["Content-Language"] = content.language
    letter.set_content(text(content), cte="quoted-printable")
    letter.add_alternative(html(content), subtype="html", cte="quoted-printable")


def _recipient(customer: Customer) -> Address:
    try:
        return Address(customer.name, addr_spec=customer.email)
    except (IndexError, ValueError, MessageError):
        raise Malformed("the customer's name or address can't stand in a letter") from None  # the error quotes them


def text(content: Content) -> str:
    parts = [*content.paragraphs, "\n".join(f"{name}: {value}" for name, value in content.details)]
    if table := content.table:
        parts.append("\n".join(f"{row.quantity} × {row.article} ({row.sku}): {row.price}" for row in table.rows))  # noqa: RUF001
        parts.append("\n".join(f"{name}: {amount}" for name, amount in table.sums))
    return "\n\n".join([*filter(None, parts), content.closing]) + "\n"


def html(content: Content) -> str:
    details = "<br>".join(f"{escape(name)}: <strong>{escape(value)}</strong>" for name, value in content.details)
    parts = [
        f'<h1 style="{TITLE}">{escape(content.title)}</h1>',
        *map(_paragraph, content.paragraphs),
        f'<p style="margin:0 0 16px">{details}</p>' if details else "",
        _table(content.table) if content.table else "",
        _paragraph(content.closing),
    ]
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="supported-color-schemes" content="light dark">\n'
    )
    title = f"<title>{escape(content.title)}</title>"
    return (
        f'<!doctype html>\n<html lang="{content.language}">\n<head>\n{head}{title}\n</head>\n'
        f'<body style="{BODY}">\n<div role="article" style="{PAPER}">\n'
        + "\n".join(filter(None, parts))
        + "\n</div>\n</body>\n</html>\n"
    )


def _paragraph(said: str) -> str:
    return '<p style="margin:0 0 16px">' + escape(said).replace("\n", "<br>") + "</p>"


def _table(table: Table) -> str:
    article, quantity, price = map(escape, table.columns)
    rows = "\n".join(
        f'<tr><th scope="row" style="{LEFT}">{escape(row.article)}<br><small>{escape(row.sku)}</small></th>'
        f'<td style="{RIGHT}">{row.quantity}</td><td style="{RIGHT}">{escape(row.price)}</td></tr>'
        for row in table.rows
    )
    sums = "\n".join(
        f'<tr><th scope="row" colspan="2" style="{SUM}">{escape(name)}</th>'
        f'<td style="{SUMMED}">{escape(amount)}</td></tr>'
        for name, amount in table.sums
    )
    return (
        f'<table style="{TABLE}">\n<caption style="{CAPTION}">{escape(table.caption)}</caption>\n'
        f'<thead><tr><th scope="col" style="{LEFT}">{article}</th><th scope="col" style="{RIGHT}">{quantity}</th>'
        f'<th scope="col" style="{RIGHT}">{price}</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n<tfoot>\n{sums}\n</tfoot>\n</table>"
    )
