"""Paper: PDF/A and pictures of pages, set by typst from a template and plain data. Knows no package and no web.

    papers.pdf("statement", {"title": "2026年3月对账单", …}, made_at)

A template is `<name>.typ` beside this file; it holds layout and no words: every text comes with the data, in the
reader's language. Characters that no font here has are shown as 〔U+2B5AF〕, never left out.
"""

from moralbank.papers.errors import PaperUnavailable
from moralbank.papers.fonts import marked
from moralbank.papers.typesetting import is_available, pdf, pictures

__all__ = ["PaperUnavailable", "is_available", "marked", "pdf", "pictures"]
