"""Reads paper apart from what made it: its text, its pages as pictures, the QR codes on them."""

from __future__ import annotations

from io import BytesIO

import pypdfium2
import zxingcpp
from PIL import Image


def text_of(pdf: bytes) -> str:
    """Return what a reader of the PDF can copy, without the spaces that setting puts between scripts."""
    document = pypdfium2.PdfDocument(pdf)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    return "".join(text.split())


def count_pages(pdf: bytes) -> int:
    return len(pypdfium2.PdfDocument(pdf))


def last_page_of(pdf: bytes) -> tuple[int, str]:
    """Return how many pages there are, and what stands on the last one."""
    document = pypdfium2.PdfDocument(pdf)
    return len(document), "".join(document[len(document) - 1].get_textpage().get_text_range().split())


def pages_of(pdf: bytes, dpi: int = 150) -> list[Image.Image]:
    """Return the pages as they would be printed."""
    return [page.render(scale=dpi / 72).to_pil() for page in pypdfium2.PdfDocument(pdf)]


def codes_of(picture: Image.Image | bytes) -> list[str]:
    """Return what a scanner reads from the QR codes on a page."""
    image = Image.open(BytesIO(picture)) if isinstance(picture, bytes) else picture
    return [code.text for code in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)]
