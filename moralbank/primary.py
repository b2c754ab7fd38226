"""Reaches, of several PostgreSQL servers that hold the same data, the one that decides. Knows no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Container

#: Seconds for a server to take a connection, before the next host of the URL is asked.
CONNECT_SECONDS = 3
#: A machine that vanished says nothing; the kernel gives it up after about ten seconds, asked for or waited for.
_LIVENESS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def connection_settings(given: Container[str]) -> dict[str, object]:
    """Return the driver's settings for a URL that has `given` some itself.

    Nothing is decided from a replica: of the URL's hosts the one that takes writes is chosen, and a server that takes
    none is refused, whatever the URL says.
    """
    chosen: dict[str, object] = {name: value for name, value in _LIVENESS.items() if name not in given}
    return chosen | {"target_session_attrs": "read-write"}
