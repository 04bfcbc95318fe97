"""What schemathesis is told of the store, beyond what a schema can say."""

import re
from typing import Any

import schemathesis
from schemathesis import CheckContext, Response
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
        if not is_stale and not (field and re.fullmatch(BEYOND_A_SCHEMA.get(name, ""), field)):
            raise


@schemathesis.hook
def map_case(ctx: Any, case: Any) -> Any:
    """Valid orders are for products that there are: a random id never is."""
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    if is_valid and case.operation.definition.raw["operationId"] == "place_order" and isinstance(case.body, dict):
        lines = [line | {"product_id": known} for line, known in zip(case.body["lines"], ORDERABLE, strict=False)]
        case.body = case.body | {"lines": lines}
    return case
