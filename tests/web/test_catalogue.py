"""Every text has its English."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

import moralbank

ROOT = Path(moralbank.__file__).parent


def test_every_text_of_the_code_and_the_templates_has_its_english():
    with (ROOT / "translations" / "babel.cfg").open() as source:
        methods, options = parse_mapping_cfg(source)
    keywords = DEFAULT_KEYWORDS | {"N_": None}
    found = {
        text if isinstance(text, str) else text[0]
        for _, _, text, _, _ in extract_from_dir(ROOT, methods, options, keywords)
    }
    with (ROOT / "translations" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as source:
        catalogue = read_po(source, locale="en", abort_invalid=True)
    said = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalogue
        if message.id and (all(message.string) if message.pluralizable else message.string)
    }
    assert sorted(found - said) == []


def test_no_text_holds_a_bare_percent_sign_that_would_break_its_page():
    """Templates fill every text with %: a sign that is not part of a field must be written %%."""
    with (ROOT / "translations" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as source:
        catalogue = read_po(source, locale="en", abort_invalid=True)
    said = [part for message in catalogue if message.id for part in (message.id, message.string)]
    # A text that is counted has a form for one and a form for many.
    texts = [text for part in said for text in ([part] if isinstance(part, str) else part)]
    assert [text for text in texts if "%" in re.sub(r"%\(\w+\)s|%%", "", text)] == []
