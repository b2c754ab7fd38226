"""The application for a WSGI server: `moralbank.wsgi:app`, configured from the environment."""

from __future__ import annotations

from moralbank.app import create_app
from moralbank.config import Config

try:
    app = create_app(Config.from_env())
except SystemExit as refusal:
    # A server would start a worker that exits again and again; an error while loading makes it give up.
    raise RuntimeError(str(refusal)) from refusal
