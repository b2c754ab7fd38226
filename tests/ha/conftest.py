"""A whole cluster, the bank's real server before it, and what must hold once a blow is over."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest

from moralbank import schema
from moralbank.db import Database
from tests import _postgres
from tests.ha import _tills
from tests.ha._cluster import Cluster
from tests.ha._tills import Load, Shop


@dataclass(frozen=True)
class Bank:
    """The served bank: its cluster, its port, and the shop at which the tills charge."""

    cluster: Cluster
    url: str
    port: int
    shop: Shop
    #: The charges, and the undone ones of them, that all tills so far were told of.
    charged: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)

    def load(self) -> Load:
        return Load(self.port, self.shop)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    # Whoever asks for these tests gets them or a failure, never a skip.
    if importlib.util.find_spec("patroni") is None:
        pytest.fail("Patroni is not installed: scripts/test -m ha installs it", pytrace=False)
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """The bank as scripts/serve runs it, on a URL that names all three nodes."""
    url = cluster.create_database("bank")
    schema.migrate(url)
    database = Database(url)
    shop = database.transact(_tills.open_shop)
    database.dispose()
    folder = tmp_path_factory.mktemp("served")
    port, output = _postgres.free_port(), folder / "output"
    words = [sys.executable, "-m", "moralbank.supervisor", "--port", str(port)]
    environment = os.environ | {"DATABASE_URL": url, "MORALBANK_VAR": str(folder / "var")}
    with output.open("wb") as file:
        server = psutil.Popen(words, env=environment, stdout=file, stderr=subprocess.STDOUT)
    bank = Bank(cluster, url, port, shop)
    try:
        cluster.wait(lambda: "is open" in output.read_text())
        yield bank
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def bank(served: Bank) -> Bank:
    """The bank before a blow, with all three nodes well."""
    served.cluster.wait_until_whole()
    return served
