"""Sets a template with its data: the one module that knows typst."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moralbank.papers import fonts
from moralbank.papers.errors import PaperUnavailable

TEMPLATES = Path(__file__).parent
#: For keeping, and so that a missing glyph is an error and never an empty place.
_STANDARD = "a-2b"
_SCREEN_DPI = 144.0

_kept = threading.local()


def is_available() -> bool:
    """Tell whether paper can be made here."""
    return find_spec("typst") is not None and fonts.can_show_chinese(fonts.coverage(tuple(fonts.files())))


def pdf(template: str, data: Mapping[str, Any], made_at: datetime) -> bytes:
    """Return a PDF/A; the same template, data and time give the same octets.

    Raises: PaperUnavailable.
    """
    made: bytes = _compile(template, data, format="pdf", pdf_standards=[_STANDARD], timestamp=_instant(made_at))
    return made


def pictures(template: str, data: Mapping[str, Any], dpi: float = _SCREEN_DPI) -> list[bytes]:
    """Return the pages as PNG pictures. Raises: PaperUnavailable."""
    made: list[bytes] | bytes = _compile(template, data, format="png", ppi=dpi)
    return [made] if isinstance(made, bytes) else list(made)


def _compile(template: str, data: Mapping[str, Any], **options: Any) -> Any:
    if not is_available():
        raise PaperUnavailable()
    covered = fonts.coverage(tuple(fonts.files()))
    given = json.dumps(_marked(data, covered), ensure_ascii=False)
    return _compiler(template).compile(sys_inputs={"data": given}, **options)


def _compiler(template: str) -> Any:
    """Return this thread's compiler of a template: one may not be used by two threads at once."""
    import typst  # Here, because it is an extra, and a start need not wait for it.

    compilers = _kept.__dict__.setdefault("compilers", {})
    places = tuple(map(str, fonts.directories()))
    found = compilers.get((template, places))
    if found is None:
        found = typst.Compiler(
            TEMPLATES / f"{template}.typ",
            root=TEMPLATES,
            font_paths=typst.Fonts(
                include_system_fonts=False, include_embedded_fonts=False, font_paths=list(map(Path, places))
            ),
        )
        compilers[template, places] = found
    return found


def _instant(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _marked(value: Any, covered: frozenset[int]) -> Any:
    """Return data in whose texts every character can be shown; a picture (SVG) is no text to read."""
    if isinstance(value, str):
        return value if value.startswith("<svg") else fonts.marked(value, covered)
    if isinstance(value, Mapping):
        return {name: _marked(one, covered) for name, one in value.items()}
    if isinstance(value, Sequence):
        return [_marked(one, covered) for one in value]
    return value
