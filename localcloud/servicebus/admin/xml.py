"""XML in and out: what a stranger sends is bounded and declares nothing."""

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from localcloud.servicebus.errors import BadArgument

ATOM: Final = "http://www.w3.org/2005/Atom"
SERVICE_BUS: Final = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS: Final = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA: Final = "http://www.w3.org/2001/XMLSchema"
LARGEST: Final = 262_144  # bytes
DEEPEST: Final = 32


def parse(body: bytes) -> Element:
    """Raises BadArgument."""
    # No entities, which could be any number of others; nor another encoding than UTF-8, in which they could hide.
    if len(body) > LARGEST or b"<!" in body or b"\0" in body:
        raise BadArgument("the document is too large, or declares something")
    try:
        root = ET.fromstring(body.decode())  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise BadArgument(f"not XML: {error}") from None
    if _depth(root) > DEEPEST:
        raise BadArgument("the document is too deep")
    return root


def _depth(root: Element) -> int:
    level, depth = [root], 0
    while level and depth <= DEEPEST:
        level, depth = [child for each in level for child in each], depth + 1
    return depth


def name(element: Element) -> str:
    """Without its namespace."""
    return element.tag.rpartition("}")[2]


def kind(element: Element) -> str:
    """Its `type`, without a prefix."""
    return element.get(f"{{{INSTANCE}}}type", "").rpartition(":")[2]


def child(parent: Element, wanted: str) -> Element | None:
    return next((each for each in parent if name(each) == wanted), None)


def texts(parent: Element) -> Iterator[tuple[str, str]]:
    """Of the children that hold nothing but text."""
    return ((name(each), each.text or "") for each in parent if not len(each))


def put(parent: Element, tag: str, text: str, namespace: str = SERVICE_BUS) -> Element:
    element = ET.SubElement(parent, f"{{{namespace}}}{tag}")
    element.text = text
    return element


def write(root: Element) -> bytes:
    """As Azure does, for clients that look for names with their prefixes, or for names without."""
    return (f'<?xml version="1.0" encoding="utf-8"?>{_written(root, "")}').encode()


def _written(element: Element, inherited: str) -> str:
    namespace, _, tag = element.tag.rpartition("}")
    namespace, declared = namespace.removeprefix("{"), ""
    if namespace == COUNTS:
        tag, namespace = f"d2p1:{tag}", inherited
    elif namespace != inherited:
        declared = f' xmlns="{namespace}" xmlns:i="{INSTANCE}"'
    if any(each.tag.startswith(f"{{{COUNTS}}}") for each in element):
        declared += f' xmlns:d2p1="{COUNTS}"'
    given = "".join(f" {_attribute(name)}={quoteattr(value)}" for name, value in element.items())
    inside = escape(element.text or "") + "".join(_written(each, namespace) for each in element)
    return f"<{tag}{declared}{given}>{inside}</{tag}>"


def _attribute(name: str) -> str:
    return name.replace(f"{{{INSTANCE}}}", "i:")
