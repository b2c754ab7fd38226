"""The service's settings: read once from the environment, frozen, and refused at start when they can't be meant."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_HERE = ("127.0.0.1", "localhost", "::1")


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


@dataclass(frozen=True, slots=True)
class BackupConfig:
    """Where the nightly backup goes. Without a folder there is none."""

    folder: Path | None = None
    #: The file with the key that encrypts it; without one it is not encrypted.
    key_file: Path | None = None
    #: How many are kept.
    keep: int = 30

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> BackupConfig:
        """Read the settings; raise ConfigError naming the first variable that is wrong."""
        env = os.environ if env is None else env
        folder, key_file = env.get("MORALBANK_BACKUP_DIR", ""), env.get("MORALBANK_BACKUP_KEY_FILE", "")
        keep = env.get("MORALBANK_BACKUP_KEEP", "30")
        if not keep.isdecimal() or not 1 <= int(keep) <= 9999:
            raise ConfigError("MORALBANK_BACKUP_KEEP must be a number from 1 to 9999")
        if key_file and not folder:
            raise ConfigError("MORALBANK_BACKUP_DIR must be set when MORALBANK_BACKUP_KEY_FILE is")
        return cls(Path(folder) if folder else None, Path(key_file) if key_file else None, int(keep))


@dataclass(frozen=True, slots=True)
class MessagesConfig:
    """On which ways messages leave the house. Without a host or a gateway they stay in the inbox."""

    public_url: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    #: starttls, tls (from the first octet) or none, which is for a server on this machine.
    smtp_security: str = "starttls"
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_from: str = ""
    #: Whose word is taken for the server's certificate; empty means whoever this machine trusts.
    smtp_ca_file: str = ""
    gateway_url: str = ""
    gateway_secret: str = ""
    gateway_channels: tuple[str, ...] = ()
    #: When nothing but what is urgent goes out.
    quiet_hours: str = "21:00-08:00"
    #: How long the other side may take for one step.
    send_seconds: float = 5.0

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> MessagesConfig:
        """Read the settings; raise ConfigError naming the first variable that is wrong."""
        env = os.environ if env is None else env
        return cls(_public_url(env), **_smtp(env), **_gateway(env), quiet_hours=_quiet_hours(env))


def _smtp(env: Mapping[str, str]) -> dict[str, Any]:
    host, security = env.get("SMTP_HOST", ""), env.get("SMTP_SECURITY", "starttls")
    if not host:
        return {}
    if security not in ("starttls", "tls", "none"):
        raise ConfigError("SMTP_SECURITY must be starttls, tls or none")
    if security == "none" and host not in _HERE:
        raise ConfigError("SMTP_SECURITY=none is for a mail server on this machine only")
    sender = env.get("SMTP_FROM", "")
    if "@" not in sender or any(mark.isspace() for mark in sender):
        raise ConfigError("SMTP_FROM must be the address that the bank's mail comes from")
    port = env.get("SMTP_PORT", "465" if security == "tls" else "587")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError("SMTP_PORT must be a port's number")
    return {
        "smtp_host": host,
        "smtp_port": int(port),
        "smtp_security": security,
        "smtp_user": env.get("SMTP_USER", ""),
        "smtp_password": env.get("SMTP_PASSWORD", ""),
        "smtp_from": sender,
        "smtp_ca_file": env.get("SMTP_CA_FILE", ""),
    }


def _gateway(env: Mapping[str, str]) -> dict[str, Any]:
    url, secret = env.get("GATEWAY_URL", ""), env.get("GATEWAY_SECRET", "")
    if not url:
        return {}
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise ConfigError("GATEWAY_URL must be an https:// address (http:// only on this machine)")
    if len(secret) < 32:
        raise ConfigError("GATEWAY_SECRET must hold at least 32 characters")
    channels = tuple(name.strip() for name in env.get("GATEWAY_CHANNELS", "sms,wechat").split(","))
    if not set(channels) <= {"sms", "wechat"}:
        raise ConfigError("GATEWAY_CHANNELS must name sms, wechat or both")
    return {"gateway_url": url, "gateway_secret": secret, "gateway_channels": channels}


def _quiet_hours(env: Mapping[str, str]) -> str:
    text = env.get("MORALBANK_QUIET_HOURS", "21:00-08:00")
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", text):
        raise ConfigError("MORALBANK_QUIET_HOURS must be like 21:00-08:00")
    return text


def database_url(env: Mapping[str, str] | None = None) -> str:
    """Return the database's URL: DATABASE_URL, or the embedded SQLite file under var/."""
    env = os.environ if env is None else env
    default = f"sqlite:///{Path(env.get('MORALBANK_VAR', 'var')) / 'moralbank.db'}"
    url = env.get("DATABASE_URL", default)
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ConfigError("DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://")
    return url


def public_url(env: Mapping[str, str] | None = None) -> str:
    """Return the address under which residents reach the service: PUBLIC_URL, or this machine's."""
    return _public_url(os.environ if env is None else env)


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
