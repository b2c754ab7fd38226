"""Draws what scanners read from a card or a payment code, as SVG: a QR code, and a bar code where there is no QR."""

from __future__ import annotations

from itertools import accumulate

import segno

#: Widths of bars and spaces of Code 128, by value; 105 starts set C (pairs of digits), 106 stops.
#: Source: ISO/IEC 15417, annex A.
_WIDTHS = str.split(
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
    "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
    "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
    "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
    "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
    "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
    "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
    "211232 2331112"
)
_START_C, _STOP = 105, 106
_QUIET_MODULES = 10


def qr_svg(number: str) -> str:
    """Return a number as a QR code of the smallest version that bears a quarter of damage (1-Q, 21 modules)."""
    code = segno.make(number, version=1, error="q", mode="numeric", boost_error=False)
    svg: str = code.svg_inline(border=4, omitsize=True)
    return svg


def link_svg(url: str) -> str:
    """Return an address as a QR code for a slip that is folded once (level M)."""
    code = segno.make(url, error="m", boost_error=False, micro=False)
    svg: str = code.svg_inline(border=4, omitsize=True)
    return svg


def bars_svg(digits: str, height: int = 24) -> str:
    """Return an even number of digits as Code 128-C, one unit a module, with its quiet zones.

    Source: ISO/IEC 15417: check character = (start + sum of place x value) mod 103.
    """
    values = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    check = (_START_C + sum(place * value for place, value in enumerate(values, start=1))) % 103
    widths = [int(width) for value in (_START_C, *values, check, _STOP) for width in _WIDTHS[value]]
    starts = list(accumulate(widths, initial=_QUIET_MODULES))
    bars = "".join(f"M{starts[n]} 0h{widths[n]}v{height}h-{widths[n]}z" for n in range(0, len(widths), 2))
    whole = starts[-1] + _QUIET_MODULES
    return (
        f'<svg viewBox="0 0 {whole} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{bars}" fill="#000"/></svg>'
    )
