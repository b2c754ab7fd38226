"""The WSGI entry point: `gunicorn wsgi:app`."""

from moralbank.app import create_app
from moralbank.config import Config

app = create_app(Config.from_env())
