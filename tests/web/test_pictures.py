"""What a scanner reads from a card is the card's number."""

from __future__ import annotations

import re

import pytest
import segno
import zxingcpp
from PIL import Image, ImageDraw

from moralbank import ids
from moralbank.residents.values import CARD_DIGITS, CARD_PREFIX
from moralbank.web.pictures import bars_svg, qr_svg


def rendered(svg: str) -> Image.Image:
    """Draw the bars of our SVG, which are rectangles of whole modules, three pixels a module."""
    width, height = (int(part) for part in re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())  # type: ignore[union-attr]
    picture = Image.new("L", (width * 3, height * 3), 255)
    draw = ImageDraw.Draw(picture)
    for x, wide, tall in re.findall(r"M(\d+) 0h(\d+)v(\d+)", svg):
        left, right = int(x) * 3, (int(x) + int(wide)) * 3 - 1
        draw.rectangle((left, 0, right, int(tall) * 3 - 1), fill=0)
    return picture


@pytest.mark.parametrize("attempt", range(40))
def test_the_bar_code_reads_as_the_number(attempt: int) -> None:
    number = ids.checked_digits(CARD_PREFIX, CARD_DIGITS - 4)
    (found,) = zxingcpp.read_barcodes(rendered(bars_svg(number)))
    assert (found.text, found.format) == (number, zxingcpp.BarcodeFormat.Code128)


def test_every_pair_of_digits_has_its_own_bars() -> None:
    every = "".join(f"{value:02d}" for value in range(100))
    for start in range(0, 200, 24):
        digits = every[start : start + 24]
        (found,) = zxingcpp.read_barcodes(rendered(bars_svg(digits)))
        assert found.text == digits


def test_the_qr_code_is_of_21_modules_and_stands_a_quarter_of_damage() -> None:
    svg = qr_svg(ids.checked_digits(CARD_PREFIX, CARD_DIGITS - 4))
    assert 'viewBox="0 0 29 29"' in svg, "21 modules and the quiet zone of four on each side"
    code = segno.make("7" * CARD_DIGITS, version=1, error="q", mode="numeric", boost_error=False)
    assert code.designator == "1-Q"
