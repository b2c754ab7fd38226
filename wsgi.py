"""The WSGI entry point for servers other than scripts/serve's own."""

from moralbank.wsgi import app

__all__ = ["app"]
