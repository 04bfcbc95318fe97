"""What schemathesis is told of the store, beyond what a schema can say."""

import re
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure

# Fields whose values are valid by themselves and refused for what else there is: a thing that must be there, another
# field, an earlier request. The operation, and the `field` of its 422.
BEYOND_A_SCHEMA = {
    "create_category": "parent_id",
    "create_product": "category_id",
    "list_products": "cursor|category",
    "list_orders": "cursor",
    "place_order": r"lines.*|Idempotency-Key",
    "replace_category": "parent_id",
    "replace_product": "category_id",
}
ORDERABLE = ["00000000-0000-0000-0000-00000000001a", "00000000-0000-0000-0000-0000000000de"]
valid_is_taken = CHECKS.get_one("positive_data_acceptance")


@schemathesis.check
def valid_is_taken_unless_a_rule_says_why_not(ctx: CheckContext, response: Response, case: Case) -> None:
    """positive_data_acceptance, and no refusal but those that a schema can't foresee: each must be listed here."""
    try:
        valid_is_taken(ctx, response, case)
    except Failure:
        name = case.operation.definition.raw["operationId"]
        field = response.json().get("field", "") if response.status_code == 422 else ""
        is_stale = response.status_code == 412 and "If-Match" in case.headers
        if not is_stale and not (field and re.fullmatch(BEYOND_A_SCHEMA.get(name, ""), field)):
            raise


@schemathesis.hook
def map_body(ctx: Any, body: Any) -> Any:
    """Orders are for products that there are: a random id never is."""
    if ctx.operation.definition.raw["operationId"] == "place_order" and isinstance(body, dict):
        lines = body.get("lines")
        for line, product_id in zip(lines if isinstance(lines, list) else (), ORDERABLE, strict=False):
            if isinstance(line, dict) and re.fullmatch(r"[0-9a-f-]{36}", str(line.get("product_id"))):
                line["product_id"] = product_id
    return body
