"""Why an order was refused or called off, in German. Whoever refuses says it in English; what of that is known is here.

Other reasons (a person's own words among them) stay as they are, and the letter says so.
"""

import re

KNOWN = {
    r"(.+) is sold out: (\d+) wanted, (\d+) left": r"\1 ist ausverkauft: \2 bestellt, \3 vorhanden",
    r"a product of this order is no longer sold": "ein Artikel dieser Bestellung wird nicht mehr verkauft",
    r"(.+) is not for sale": r"\1 ist nicht im Verkauf",
    r"(.+) is no longer sold": r"\1 wird nicht mehr verkauft",
    r"an order has 1 to (\d+) lines": r"eine Bestellung hat 1 bis \1 Positionen",
    r"the total is not the sum of the lines": "die Summe stimmt nicht mit den Positionen überein",
    r"the order is worth more than we sell at once": "die Bestellung ist mehr wert, als wir auf einmal verkaufen",
    r"(.+): 1 to (\d+) pieces can be ordered": r"\1: bestellt werden können 1 bis \2 Stück",
    r"(.+): the price is below zero": r"\1: der Preis liegt unter null",
    r"the customer is not registered": "der Kunde ist nicht registriert",
    r"the customer's account is blocked": "das Kundenkonto ist gesperrt",
    r"(\d+) of (\d+) minor units were authorised": "die Zahlung wurde nicht über den ganzen Betrag freigegeben",
    r"the payment was declined": "die Zahlung wurde abgelehnt",
    r"it was not paid in time": "sie wurde nicht rechtzeitig bezahlt",
    r"cancelled by the customer": "vom Kunden storniert",
    r"returned by the customer": "vom Kunden zurückgegeben",
}
_PATTERNS = [(re.compile(pattern, re.DOTALL), german) for pattern, german in KNOWN.items()]


def in_german(reason: str) -> str | None:
    """None where it is not known. Several are told apart by semicolons, unless a product's name has one."""
    parts = [_translated(part) for part in reason.split("; ")]
    return _translated(reason) if None in parts else "; ".join(filter(None, parts))


def _translated(reason: str) -> str | None:
    for pattern, german in _PATTERNS:
        if match := pattern.fullmatch(reason):
            return match.expand(german)
    return None
