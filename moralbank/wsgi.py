"""The application for a WSGI server: `moralbank.wsgi:app`, configured from the environment."""

from __future__ import annotations

import os

from moralbank.app import create_app
from moralbank.config import Config
from moralbank.supervised import SUPERVISOR

try:
    # The supervisor looks at the database while it builds the application that it forks.
    app = create_app(Config.from_env(), is_looked_at=SUPERVISOR in os.environ)
except SystemExit as refusal:
    # A server would start a worker that exits again and again; an error while loading makes it give up.
    raise RuntimeError(str(refusal)) from refusal
