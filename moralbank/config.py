"""The service's settings: read once from the environment, frozen, and refused at start when they can't be meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class ConfigError(SystemExit):
    """A setting that can't be meant; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that may differ between two installations."""

    database_url: str
    secret_key: str
    public_url: str
    production: bool
    debug: bool
    #: A bearer of this may read /metrics from elsewhere; empty means only this machine may.
    metrics_token: str = ""
    #: Where several worker processes put their figures together; empty means there is one.
    metrics_dir: str = ""

    @property
    def secure(self) -> bool:
        """Whether residents reach the service over TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https://")

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Config:
        """Read the settings; raise ConfigError naming the first variable that is wrong."""
        env = os.environ if env is None else env
        var = Path(env.get("MORALBANK_VAR", "var"))
        public_url = _public_url(env)
        production = is_production(env)
        if production and not public_url.startswith("https://"):
            raise ConfigError("PUBLIC_URL must be an https:// address when MORALBANK_PRODUCTION=1")
        return cls(
            database_url=database_url(env),
            secret_key=_secret_key(env, var),
            public_url=public_url,
            production=production,
            debug=_flag(env, "MORALBANK_DEBUG"),
            metrics_token=env.get("METRICS_TOKEN", ""),
            metrics_dir=env.get("PROMETHEUS_MULTIPROC_DIR", ""),
        )


@dataclass(frozen=True, slots=True)
class SignerConfig:
    """What the signer needs, which may live on a machine of its own and has no business with the service's secrets."""

    database_url: str
    #: The bank's public name, with which the logs' names begin.
    host: str
    #: The file with the private keys; its own memory of what it signed.
    key: Path
    memory: Path

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> SignerConfig:
        """Read the settings; raise ConfigError naming the first variable that is wrong."""
        env = os.environ if env is None else env
        var = Path(env.get("MORALBANK_VAR", "var"))
        return cls(
            database_url=database_url(env),
            host=_public_url(env).partition("://")[2].partition("/")[0],
            key=Path(env.get("MORALBANK_SIGNING_KEY") or var / "signing.key"),
            memory=Path(env.get("MORALBANK_SIGNER_MEMORY") or var / "signer"),
        )


def database_url(env: Mapping[str, str] | None = None) -> str:
    """Return the database's URL: DATABASE_URL, or the embedded SQLite file under var/."""
    env = os.environ if env is None else env
    default = f"sqlite:///{Path(env.get('MORALBANK_VAR', 'var')) / 'moralbank.db'}"
    url = env.get("DATABASE_URL", default)
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ConfigError("DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://")
    return url


def var_directory(env: Mapping[str, str] | None = None) -> Path:
    """Return where this installation keeps its files: MORALBANK_VAR, or var."""
    env = os.environ if env is None else env
    return Path(env.get("MORALBANK_VAR", "var"))


def people_keys_path(env: Mapping[str, str] | None = None) -> Path:
    """Return the file of people's keys, which seal what backups hold of them."""
    return var_directory(env) / "people.keys"


def is_production(env: Mapping[str, str] | None = None) -> bool:
    """Tell whether this installation keeps people's real points, by MORALBANK_PRODUCTION."""
    return _flag(os.environ if env is None else env, "MORALBANK_PRODUCTION")


def _public_url(env: Mapping[str, str]) -> str:
    public_url = env.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
    if not public_url.startswith(("http://", "https://")):
        raise ConfigError("PUBLIC_URL must begin with http:// or https://")
    return public_url


def _flag(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "0")
    if value not in ("0", "1"):
        raise ConfigError(f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def _secret_key(env: Mapping[str, str], var: Path) -> str:
    key = env.get("SECRET_KEY", "")
    path = var / "secret.key"
    if not key and path.is_file():
        key = path.read_text().strip()
    if len(key) < 32:
        raise ConfigError(f"SECRET_KEY (or the file {path}) must hold at least 32 characters; scripts/serve makes one")
    return key
