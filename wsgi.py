"""The WSGI entry point: `gunicorn wsgi:app`."""

from moralbank.wsgi import app

__all__ = ["app"]
