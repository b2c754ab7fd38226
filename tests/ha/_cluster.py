"""Three PostgreSQL nodes under Patroni on this machine, from packages alone, and the blows that can befall them.

The nodes agree through Patroni's own Raft store, so that nothing but Python is needed; docs/OPERATIONS.md says what to
use instead in production.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import yaml

from tests import _postgres

SUPERUSER = "postgres"
#: Roles that a database's administrator makes; the service's login is neither superuser nor able to make roles.
ROLES = (
    "CREATE ROLE moralbank_app NOLOGIN",
    "CREATE ROLE moralbank LOGIN IN ROLE moralbank_app",
)
#: The least that Patroni takes for `ttl`; a lost node is missed so long. loop_wait + 2 × retry_timeout must fit in.
TTL_SECONDS = 20
_SETTINGS: dict[str, Any] = {
    "ttl": TTL_SECONDS,
    "loop_wait": 1,
    "retry_timeout": 8,
    "primary_start_timeout": 0,  # A dead primary is replaced at once instead of being started again.
    "synchronous_mode": True,
    "synchronous_mode_strict": True,
    "postgresql": {
        "use_pg_rewind": True,
        "remove_data_directory_on_rewind_failure": True,
        "remove_data_directory_on_diverged_timelines": True,
        "parameters": {
            "synchronous_commit": "on",
            "fsync": "off",  # Processes are killed here, not machines: what was written is in the kernel's memory.
            "shared_buffers": "16MB",
            "max_connections": 100,
            "max_wal_size": "128MB",
            "min_wal_size": "32MB",
            "wal_keep_size": "64MB",
            "unix_socket_directories": "",
        },
    },
}
#: The node outlives nothing: when our end of its standard input closes, even by kill -9, the shell ends it.
_LEASH = """folder=$1; shift; "$@" & patroni=$!
read _; kill -KILL $patroni
read postmaster <"$folder/data/postmaster.pid" && kill -QUIT $postmaster && kill -CONT $postmaster"""


class Node:
    """One machine of the cluster: a PostgreSQL and the Patroni that looks after it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder / name
        self.port, self.rest_port, self.raft_port = (_postgres.free_port() for _ in range(3))
        self._leash: subprocess.Popen[bytes] | None = None

    def configure(self, others: Iterable[Node]) -> None:
        """Write the node's patroni.yml."""
        self.folder.mkdir()
        login = {"username": SUPERUSER}
        settings = {
            "scope": "moralbank",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest_port}", "connect_address": f"127.0.0.1:{self.rest_port}"},
            "raft": {
                "data_dir": str(self.folder / "raft"),
                "self_addr": f"127.0.0.1:{self.raft_port}",
                "partner_addrs": [f"127.0.0.1:{other.raft_port}" for other in others],
            },
            "bootstrap": {
                "dcs": _SETTINGS,
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "trust"}, "no-sync"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self.folder / "data"),
                "bin_dir": str(_postgres.find_binaries()),
                "pgpass": str(self.folder / "pgpass"),
                "authentication": {"superuser": login, "replication": login, "rewind": login},
                "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
            },
        }
        (self.folder / "patroni.yml").write_text(yaml.safe_dump(settings))

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL or makes it; one that was killed is started again like that."""
        prefix, identity = _postgres.without_root()
        if "user" in identity:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, identity["user"], identity["group"])
        self.let_go()
        words = [*prefix, sys.executable, "-m", "patroni", str(self.folder / "patroni.yml")]
        with (self.folder / "log").open("ab") as log:
            self._leash = subprocess.Popen(
                ["sh", "-c", _LEASH, "sh", str(self.folder), *words],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **identity,
            )

    def let_go(self) -> None:
        """End what is left of the node."""
        if self._leash and self._leash.stdin:
            self._leash.stdin.close()
            self._leash.wait(timeout=30)
            self._leash = None

    @property
    def patroni(self) -> psutil.Process | None:
        if self._leash is None:
            return None
        return next(iter(psutil.Process(self._leash.pid).children()), None)

    @property
    def postmaster(self) -> psutil.Process | None:
        try:
            return psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
        except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
            return None

    def _postgres(self) -> list[psutil.Process]:
        postmaster = self.postmaster
        return [postmaster, *postmaster.children(recursive=True)] if postmaster else []

    def kill_postgres(self) -> None:
        """SIGKILL every process of the node's PostgreSQL, as a crash would."""
        _signal(self._postgres(), signal.SIGKILL)

    def freeze_postgres(self) -> None:
        """SIGSTOP PostgreSQL alone: its Patroni goes on, and does not start another beside it."""
        _signal(self._postgres(), signal.SIGSTOP)

    def kill(self) -> None:
        """SIGKILL all of the node, as a power failure would."""
        _signal([self.patroni, *self._postgres()], signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP all of the node, as a machine that is paused or waits for its disk for ever."""
        _signal([self.patroni, *self._postgres()], signal.SIGSTOP)

    def thaw_postgres(self) -> None:
        """Let PostgreSQL go on, but not the Patroni that would tell it what has happened meanwhile."""
        _signal(self._postgres(), signal.SIGCONT)

    def thaw(self) -> None:
        _signal([*self._postgres(), self.patroni], signal.SIGCONT)

    def ask(self, method: str, path: str, body: Any = None, seconds: float = 5) -> Any:
        """Ask the node's Patroni; what can't be asked is None."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=seconds)
        try:
            connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
            text = connection.getresponse().read().decode()
            return json.loads(text) if text.startswith("{") else text
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def connect(self, dbname: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, dbname=dbname, autocommit=True, connect_timeout=5
        )

    def url(self, dbname: str) -> str:
        return f"postgresql+psycopg://moralbank@127.0.0.1:{self.port}/{dbname}"


class Cluster:
    """Three nodes, of which one is the primary and one the standby that has every acknowledged line."""

    def __init__(self) -> None:
        # A short path: Patroni and PostgreSQL put names of their own behind it.
        self._folder = Path(tempfile.mkdtemp(prefix="moralbank-ha-"))
        self._folder.chmod(0o755)
        self.nodes = [Node(self._folder, name) for name in ("a", "b", "c")]

    def start(self) -> None:
        for node in self.nodes:
            node.configure(other for other in self.nodes if other is not node)
        for node in self.nodes:
            node.start()
        self.wait_until_whole()
        with self.leader().connect() as db:
            for statement in ROLES:
                db.execute(statement)

    def stop(self) -> None:
        for node in self.nodes:
            node.let_go()
        shutil.rmtree(self._folder, ignore_errors=True)

    def create_database(self, name: str) -> str:
        with self.leader().connect() as db:
            db.execute(f"CREATE DATABASE {name} OWNER moralbank")
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql+psycopg://moralbank@/{name}?{hosts}"

    def members(self) -> dict[str, dict[str, Any]]:
        """Return what the nodes that can be asked agree on, by name; nothing when they don't."""
        for node in self.nodes:
            found = node.ask("GET", "/cluster", seconds=2)
            if isinstance(found, dict) and "members" in found:
                return {member["name"]: member for member in found["members"]}
        return {}

    def find(self, role: str) -> Node | None:
        """Return the node that is "leader" or "sync_standby"."""
        members = self.members()
        return next((node for node in self.nodes if members.get(node.name, {}).get("role") == role), None)

    def leader(self) -> Node:
        found = self.find("leader")
        assert found is not None, self.said()
        return found

    def sync_standby(self) -> Node:
        found = self.find("sync_standby")
        assert found is not None, self.said()
        return found

    def is_whole(self) -> bool:
        """Tell whether one leads, another has all that is acknowledged, and the third follows."""
        members = self.members().values()
        roles = sorted(member["role"] for member in members)
        timelines = {member.get("timeline") for member in members}
        states = {member["state"] for member in members}
        return (
            roles == ["leader", "replica", "sync_standby"]
            and len(timelines) == 1
            and states <= {"running", "streaming"}
        )

    def wait_until_whole(self) -> float:
        return self.wait(self.is_whole, seconds=150)

    def wait(self, happened: Callable[[], object], seconds: float = 90) -> float:
        """Wait until it has happened and return for how long."""
        began = time.monotonic()
        while not happened():
            assert time.monotonic() < began + seconds, self.said()
            time.sleep(0.2)
        return time.monotonic() - began

    def wait_for_new_leader(self, former: Node) -> float:
        return self.wait(lambda: self.find("leader") not in (None, former))

    def switchover(self) -> None:
        """Hand the primary's place to the synchronous standby, as before maintenance."""
        leader, candidate = self.leader(), self.sync_standby()
        said = leader.ask("POST", "/switchover", {"leader": leader.name, "candidate": candidate.name}, seconds=60)
        assert str(said).startswith("Successfully"), said

    def said(self) -> str:
        """Return the last lines of every node's log, for whoever has to find out why."""
        ends = []
        for node in self.nodes:
            log = node.folder / "log"
            ends.append(f"--- {node.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]))
        return f"{self.members()}\n" + "\n".join(ends)


def _signal(processes: Iterable[psutil.Process | None], number: signal.Signals) -> None:
    for process in processes:
        if process is not None:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
