"""What a new store has on its shelves, and who its first customers are."""

from dataclasses import dataclass
from uuid import UUID

from localcloud.pictures import Colour, Shape, box, ellipse, slope

CREAM, SAND, INK, SNOW = (250, 245, 235), (236, 222, 200), (52, 58, 74), (255, 255, 255)
SEA, MINT, ROSE, SUN = (74, 124, 158), (118, 176, 152), (214, 120, 112), (240, 190, 96)
CLAY, LEAF, SKY, LILAC = (192, 108, 76), (84, 140, 92), (222, 234, 242), (150, 130, 180)


@dataclass(frozen=True, slots=True)
class Article:
    sku: str
    name: str
    description: str
    category: str
    price: int  # minor units of EUR
    stock: int
    ground: tuple[Colour, Colour]
    shapes: tuple[tuple[Shape, Colour | None], ...]


@dataclass(frozen=True, slots=True)
class Person:
    id: UUID
    name: str
    email: str
    language: str
    street: str
    city: str
    postal_code: str
    country: str


CATEGORIES = ("Kitchen", "Living", "Desk")

ARTICLES = (
    Article(
        "mug-sea",
        "Mug, sea blue",
        "Stoneware, 350 ml. Survives the dishwasher, Mondays and most colleagues.",
        "Kitchen",
        price=1490,
        stock=120,
        ground=(CREAM, SAND),
        shapes=(
            (ellipse(0.7, 0.52, 0.26, 0.3), SEA),
            (ellipse(0.7, 0.52, 0.14, 0.18), None),
            (box(0.27, 0.3, 0.68, 0.78, 0.06), SEA),
            (ellipse(0.475, 0.31, 0.41, 0.08), INK),
        ),
    ),
    Article(
        "bottle-mint",
        "Bottle, mint",
        "Steel, 500 ml, cold for a day.",
        "Kitchen",
        price=2450,
        stock=80,
        ground=(SKY, SNOW),
        shapes=(
            (box(0.44, 0.14, 0.56, 0.3, 0.02), INK),
            (box(0.36, 0.26, 0.64, 0.86, 0.1), MINT),
            (box(0.36, 0.5, 0.64, 0.62), SNOW),
        ),
    ),
    Article(
        "bowl-rose",
        "Bowl, rose",
        "For soup, for salad, for keys by the door.",
        "Kitchen",
        price=1890,
        stock=60,
        ground=(SNOW, SAND),
        shapes=(
            (ellipse(0.5, 0.46, 0.64, 0.66), ROSE),
            (box(0.1, 0.1, 0.9, 0.46), None),
            (ellipse(0.5, 0.46, 0.64, 0.12), CLAY),
            (box(0.4, 0.77, 0.6, 0.82, 0.02), CLAY),
        ),
    ),
    Article(
        "lamp-sun",
        "Table lamp",
        "Linen shade, oak foot, warm light.",
        "Living",
        price=5900,
        stock=25,
        ground=(LILAC, CREAM),
        shapes=(
            (box(0.48, 0.4, 0.52, 0.82), INK),
            (ellipse(0.5, 0.83, 0.32, 0.08), INK),
            (slope(0.16, (0.38, 0.62), 0.5, (0.24, 0.76)), SUN),
        ),
    ),
    Article(
        "plant-fig",
        "Little fig",
        "A plant that forgives. Comes in its pot.",
        "Living",
        price=2200,
        stock=40,
        ground=(CREAM, SNOW),
        shapes=(
            (box(0.485, 0.4, 0.515, 0.66), CLAY),
            (ellipse(0.38, 0.42, 0.26, 0.2), LEAF),
            (ellipse(0.62, 0.38, 0.28, 0.22), LEAF),
            (ellipse(0.5, 0.24, 0.24, 0.28), MINT),
            (slope(0.62, (0.33, 0.67), 0.86, (0.4, 0.6)), CLAY),
            (box(0.31, 0.58, 0.69, 0.66, 0.02), ROSE),
        ),
    ),
    Article(
        "candle-fig",
        "Candle",
        "Rapeseed wax, forty hours, smells of fig.",
        "Living",
        price=1650,
        stock=90,
        ground=(INK, LILAC),
        shapes=(
            (ellipse(0.5, 0.28, 0.22, 0.3), (104, 100, 120)),
            (ellipse(0.5, 0.29, 0.09, 0.18), SUN),
            (box(0.495, 0.36, 0.505, 0.44), INK),
            (box(0.34, 0.43, 0.66, 0.84, 0.03), CREAM),
            (box(0.34, 0.56, 0.66, 0.72), SAND),
        ),
    ),
    Article(
        "notebook-clay",
        "Notebook, clay",
        "160 dotted pages that lie flat.",
        "Desk",
        price=1290,
        stock=200,
        ground=(SAND, CREAM),
        shapes=(
            (box(0.29, 0.18, 0.75, 0.86, 0.03), SNOW),
            (box(0.27, 0.16, 0.73, 0.84, 0.03), CLAY),
            (box(0.27, 0.16, 0.33, 0.84, 0.03), INK),
            (box(0.42, 0.28, 0.66, 0.38, 0.01), CREAM),
        ),
    ),
    Article(
        "clock-sky",
        "Desk clock",
        "Does not tick. The last one is always five to twelve.",
        "Desk",
        price=3900,
        stock=3,
        ground=(SEA, SKY),
        shapes=(
            (box(0.3, 0.74, 0.38, 0.86, 0.03), INK),
            (box(0.62, 0.74, 0.7, 0.86, 0.03), INK),
            (ellipse(0.5, 0.5, 0.62, 0.62), INK),
            (ellipse(0.5, 0.5, 0.54, 0.54), CREAM),
            (box(0.49, 0.3, 0.51, 0.52), INK),
            (slope(0.28, (0.4, 0.415), 0.51, (0.49, 0.51)), ROSE),
            (ellipse(0.5, 0.5, 0.06, 0.06), INK),
        ),
    ),
)

PEOPLE = (
    Person(
        UUID("0a1da000-0000-4000-8000-000000000001"),
        "Ada Lovelace",
        "ada@example.org",
        "en",
        "12 St James's Square",
        "London",
        "SW1Y 4JH",
        "GB",
    ),
    Person(
        UUID("0a1da000-0000-4000-8000-000000000002"),
        "Konrad Zuse",
        "konrad@example.org",
        "de",
        "Methfesselstr. 7",
        "Berlin",
        "10965",
        "DE",
    ),
)
