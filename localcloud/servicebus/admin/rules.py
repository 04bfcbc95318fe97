"""A rule as XML: its filter, its action, their values with their types."""

from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from localcloud.servicebus.admin import xml
from localcloud.servicebus.errors import BadArgument
from localcloud.topology import Rule, Scalar

FALSE: Final = "1=0"
PAIR: Final = "KeyValueOfstringanyType"
LEVEL: Final = "20"
CORRELATION: Final = [
    "CorrelationId",
    "MessageId",
    "To",
    "ReplyTo",
    "Label",
    "SessionId",
    "ReplyToSessionId",
    "ContentType",
]


def read(description: Element) -> tuple[str | None, Rule]:
    """Its name, and what it says. Raises BadArgument."""
    named, filtered = xml.child(description, "Name"), xml.child(description, "Filter")
    action = xml.child(description, "Action")
    sql = xml.child(action, "SqlExpression") if action is not None else None
    rule = _filter(filtered) if filtered is not None else Rule()
    parameters = rule.parameters | (_pairs(action, "Parameters") if action is not None else {})
    text = sql.text if sql is not None else None
    made = Rule(rule.sql, rule.correlation, rule.properties, parameters, text or None)
    return (named.text if named is not None else None), made


def write(description: Element, name: str, rule: Rule) -> None:
    filtered = ET.SubElement(description, f"{{{xml.SERVICE_BUS}}}Filter")
    if rule.correlation is not None:
        filtered.set(f"{{{xml.INSTANCE}}}type", "CorrelationFilter")
        for key in CORRELATION:
            if key in rule.correlation:
                xml.put(filtered, key, rule.correlation[key])
        _put_pairs(filtered, "Properties", rule.properties)
    else:
        kind = {None: "TrueFilter", FALSE: "FalseFilter"}.get(rule.sql, "SqlFilter")
        _put_sql(filtered, kind, rule.sql or "1=1", rule.parameters)
    action = ET.SubElement(description, f"{{{xml.SERVICE_BUS}}}Action")
    if rule.action:
        _put_sql(action, "SqlRuleAction", rule.action, rule.parameters)
    else:
        action.set(f"{{{xml.INSTANCE}}}type", "EmptyRuleAction")
    xml.put(description, "Name", name)


def _filter(element: Element) -> Rule:
    said = dict(xml.texts(element))
    match xml.kind(element):
        case "TrueFilter" | "":
            return Rule()
        case "FalseFilter":
            return Rule(sql=FALSE)
        case "SqlFilter":
            return Rule(sql=said.get("SqlExpression", ""), parameters=_pairs(element, "Parameters"))
        case "CorrelationFilter":
            correlation = {key: said[key] for key in CORRELATION if said.get(key)}
            return Rule(correlation=correlation, properties=_pairs(element, "Properties"))
        case other:
            raise BadArgument(f"no filter is of the type {other[:40]}")


def _pairs(parent: Element, tag: str) -> dict[str, Scalar]:
    pairs, element = dict[str, Scalar](), xml.child(parent, tag)
    for pair in element if element is not None else ():
        key, value = xml.child(pair, "Key"), xml.child(pair, "Value")
        if key is None or value is None or not key.text:
            raise BadArgument(f"{tag}: a key or a value is missing")
        pairs[key.text] = _value(value.text or "", xml.kind(value))
    return pairs


def _value(text: str, kind: str) -> Scalar:
    try:
        if kind in ("int", "long", "short", "byte"):
            return int(text[:24])
        if kind in ("double", "float", "decimal"):
            return float(text[:40])
    except ValueError:
        raise BadArgument(f"not of the type {kind}: {text[:40]}") from None
    return text.lower() == "true" if kind == "boolean" else text


def _put_sql(element: Element, kind: str, text: str, parameters: dict[str, Any]) -> None:
    element.set(f"{{{xml.INSTANCE}}}type", kind)
    xml.put(element, "SqlExpression", text)
    xml.put(element, "CompatibilityLevel", LEVEL)
    _put_pairs(element, "Parameters", parameters)


def _put_pairs(parent: Element, tag: str, pairs: dict[str, Scalar]) -> None:
    if not pairs:
        return
    element = ET.SubElement(parent, f"{{{xml.SERVICE_BUS}}}{tag}")
    for key, value in pairs.items():
        pair = ET.SubElement(element, f"{{{xml.SERVICE_BUS}}}{PAIR}")
        xml.put(pair, "Key", key)
        put = xml.put(pair, "Value", str(value).lower() if isinstance(value, bool) else str(value))
        put.set("xmlns:d6p1", xml.SCHEMA)
        put.set(f"{{{xml.INSTANCE}}}type", f"d6p1:{_kind(value)}")


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if abs(value) < 1 << 31 else "long"
    return "double" if isinstance(value, float) else "string"
