"""Pictures are PNGs, with their shapes where they were drawn."""

import struct
import zlib

from localcloud.pictures import SIZE, box, draw, ellipse, slope

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def chunks(png: bytes) -> dict[bytes, bytes]:
    """By their kind. PNG specification, section 5.3: length, kind, content, check sum."""
    found, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + content),)
        found[kind], at = content, at + 12 + length
    return found


def pixel(png: bytes, x: float, y: float) -> tuple[int, ...]:
    rows = zlib.decompress(chunks(png)[b"IDAT"])
    at = round(y * SIZE) * (SIZE * 3 + 1) + 1 + round(x * SIZE) * 3
    return tuple(rows[at : at + 3])


def test_shapes_lie_over_each_other_on_a_fading_ground() -> None:
    shapes = [
        (box(0.1, 0.1, 0.9, 0.4, 0.05), RED),
        (ellipse(0.5, 0.25, 0.4, 0.2), GREEN),
        (slope(0.6, (0.5, 0.5), 0.9, (0.2, 0.8)), BLUE),
    ]

    png = draw((BLACK, WHITE), shapes)

    assert struct.unpack(">2I5B", chunks(png)[b"IHDR"]) == (SIZE, SIZE, 8, 2, 0, 0, 0)
    assert (pixel(png, 0.15, 0.25), pixel(png, 0.5, 0.25), pixel(png, 0.5, 0.8)) == (RED, GREEN, BLUE)
    assert pixel(png, 0.05, 0.05) == (13, 13, 13)
    assert pixel(png, 0.1, 0.1) == (26, 26, 26)  # the corner is round


def test_a_shape_without_a_colour_is_a_hole() -> None:
    png = draw((WHITE, WHITE), [(ellipse(0.5, 0.5, 0.8, 0.8), RED), (ellipse(0.5, 0.5, 0.4, 0.4), None)])

    assert (pixel(png, 0.2, 0.5), pixel(png, 0.5, 0.5)) == (RED, WHITE)


def test_edges_are_smooth() -> None:
    png = draw((WHITE, WHITE), [(box(0.25 + 0.5 / SIZE, 0.2, 0.75, 0.8), BLACK)])

    assert pixel(png, 0.25, 0.5) == (128, 128, 128)
