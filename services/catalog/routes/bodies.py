"""What the catalogue takes: the kinds of values, and their limits."""

from typing import Annotated

from msgspec import Meta

from libs.common.messages.catalog import MOST_PIECES
from libs.common.patterns import END, LINE, NO_NUL

Sku = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9._-]+" + END, examples=["LAMP-1"])]
Name = Annotated[str, Meta(max_length=200, pattern=LINE, examples=["Lamp"])]
Text = Annotated[str, Meta(max_length=5000, pattern=NO_NUL)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL)]
Search = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
Amount = Annotated[int, Meta(ge=0, le=100_000_000, examples=[4900])]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}" + END, examples=["EUR"])]
Pieces = Annotated[int, Meta(ge=0, le=MOST_PIECES)]

MOST_ATTRIBUTES = 20
LARGEST = 10**12  # number in an attribute
AttributeName = Annotated[str, Meta(max_length=40, pattern=r"^[A-Za-z][A-Za-z0-9_-]*" + END)]
AttributeText = Annotated[str, Meta(max_length=100, pattern=LINE)]
AttributeValue = (
    bool
    | Annotated[int, Meta(ge=-LARGEST, le=LARGEST)]
    | Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
    | AttributeText
)
Attributes = Annotated[dict[AttributeName, AttributeValue], Meta(max_length=MOST_ATTRIBUTES)]
