"""What schemathesis is told of the store, beyond what a schema can say."""

import json
import re
from functools import cache
from io import BytesIO
from itertools import count
from typing import Any

import schemathesis
from PIL import Image
from schemathesis import CheckContext, Response
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure

# Fields whose values are valid by themselves and refused for what else there is: a thing that must be there, another
# field, an earlier request. The operation, and the `field` of its 422.
BEYOND_A_SCHEMA = {
    "create_category": "parent_id",
    "create_product": r"category_ids.*|attributes.*",
    "add_media": "body",
    "list_products": "category|sort",
    "place_order": r"lines.*|Idempotency-Key",
    "register": r"(delivery_|billing_)?address|addresses.*",
    "replace_category": "parent_id",
    "replace_customer": r"(delivery_|billing_)?address|addresses.*",
    "replace_product": r"category_ids.*|attributes.*",
}
A_CURSOR = "cursor"  # is one only where it came with a page
ORDERABLE = ["00000000-0000-0000-0000-00000000001a", "00000000-0000-0000-0000-0000000000de"]
NDJSON = "application/x-ndjson"
NUMBERS = count()
valid_is_taken: Any = CHECKS.get_one("positive_data_acceptance")


@schemathesis.check
def valid_is_taken_unless_a_rule_says_why_not(ctx: CheckContext, response: Response, case: Any) -> None:
    """positive_data_acceptance, and no refusal but those that a schema can't foresee: each must be listed here."""
    try:
        valid_is_taken(ctx, response, case)
    except Failure:
        name = case.operation.definition.raw["operationId"]
        field = response.json().get("field", "") if response.status_code == 422 else ""
        is_stale = response.status_code == 412 and "If-Match" in case.headers
        if not is_stale and not (field and re.fullmatch(f"{BEYOND_A_SCHEMA.get(name, '')}|{A_CURSOR}", field)):
            raise


@schemathesis.hook
def map_case(ctx: Any, case: Any) -> Any:
    """What is valid by a schema, and can also be meant."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return case
    case.body = whole(case.body)
    match case.operation.definition.raw["operationId"]:
        case "place_order":
            lines = [line | {"product_id": known} for line, known in zip(case.body["lines"], ORDERABLE, strict=False)]
            case.body = case.body | {"lines": lines}
        case "begin_upload":
            case.body = case.body | {"size": 1000}  # what is allowed depends on the type
        case "register" | "replace_customer":
            case.body = {name: each for name, each in case.body.items() if "address" not in name} | {"email": email()}
    return case


def email() -> str:
    """Nobody else's."""
    return f"{next(NUMBERS)}@example.org"


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """What no schema tells of is sent as it should be: an image of the type that is said."""
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    if is_valid and str(case.media_type).startswith("image/"):
        kwargs["data"] = image(case.media_type)
    elif is_valid and case.media_type == NDJSON:
        kwargs["data"] = b'{"name": "Lamp", "sku": "LAMP-1", "price": 4900, "currency": "EUR"}\n'


@schemathesis.serializer(NDJSON)
def a_line(ctx: Any, value: Any) -> bytes:
    return json.dumps(value).encode()


def whole(value: Any) -> Any:
    """1.0 is an integer to JSON Schema; to the store it is none."""
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def image(content_type: str) -> bytes:
    with BytesIO() as file:
        Image.new("RGB", (2, 2)).save(file, content_type.removeprefix("image/"))
        return file.getvalue()
