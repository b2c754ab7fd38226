"""The application for a WSGI server: `moralbank.wsgi:app`, configured from the environment."""

from __future__ import annotations

from moralbank.app import create_app
from moralbank.config import Config

app = create_app(Config.from_env())
