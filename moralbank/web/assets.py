"""Names every static file by what is in it, so that a browser keeps it for good and a change is fetched at once."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

FOR_GOOD = "public, max-age=31536000, immutable"


@lru_cache(maxsize=64)
def _digest(path: Path, _changed_at: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def version(folder: str, name: str) -> str:
    """Return a short digest of a file of the folder, or nothing where there is no such file."""
    path = Path(folder, name)
    try:
        return _digest(path, path.stat().st_mtime_ns)
    except OSError:
        return ""


def init_app(app: Flask) -> None:
    """Put ?v=<digest> on every url_for("static", …), and let what was asked for by its digest be kept for good."""
    folder = app.static_folder
    assert folder is not None, "the application has a static folder"

    @app.url_defaults
    def _add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values.setdefault("v", version(folder, values["filename"]))

    @app.after_request
    def _keep(response: Response) -> Response:
        # An address with the digest of another build must not keep what this one has.
        asked = request.args.get("v")
        if request.endpoint == "static" and asked and asked == version(folder, (request.view_args or {})["filename"]):
            response.headers["Cache-Control"] = FOR_GOOD
        return response
