"""The verifier as its users have it: one file, loaded from where it lies, run with the words that they would type."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from types import ModuleType

PATH = Path(__file__).resolve().parents[2] / "scripts" / "verify_export.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_export", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verifier = load()


def run(*words: object, lang: str = "en") -> tuple[int, str]:
    """Return the exit status and what was printed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = verifier.main([*map(str, words), "--lang", lang])
    return status, said.getvalue()
