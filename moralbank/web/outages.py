"""Names what is wrong with the database when it is the database that failed, and proves that it takes writes again.

Nothing here mends anything: a request meets a named 503 with Retry-After, /readyz goes red, and both recover by
themselves with the database. Knows the engines' codes and no package.
"""

from __future__ import annotations

import threading
import time

import sqlalchemy as sa
from flask import Flask, current_app

from moralbank import slots
from moralbank.db import Database
from moralbank.errors import N_, Unavailable

#: A proof costs the disk a sync, so a good one is good for so long; a bad one is asked for again at once.
PROOF_SECONDS = 2.0
#: How long whoever asks waits for a proof.
PATIENCE_SECONDS = 3.0


class DatabaseAway(Unavailable):
    code = "database-away"
    title = N_("暂时连不上数据库")
    sentence = N_("请过一会儿再试，已经确认的都在。刚才提交的如果没有看到结果，请先查一查，再决定要不要重交。")


class DatabaseBusy(Unavailable):
    code = "database-busy"
    title = N_("系统正忙")
    sentence = N_("现在办理的人太多，这一次没有办成。请过几秒再试。")


class StorageFull(Unavailable):
    code = "storage-full"
    title = N_("存储空间满了")
    sentence = N_("暂时记不下新的内容，已经确认的都在。请告诉管理员腾出磁盘空间，之后会自己恢复。")


class StorageReadOnly(Unavailable):
    code = "storage-read-only"
    title = N_("现在只能查看")
    sentence = N_("数据库现在不能写入，已经确认的都在。请告诉管理员恢复写入，之后会自己恢复。")


class StorageFailing(Unavailable):
    code = "storage-failing"
    title = N_("磁盘出错了")
    sentence = N_("刚才的内容可能没有写进磁盘，已经确认的都在。请告诉管理员检查磁盘，恢复后先查一查再重交。")


class DatabaseDamaged(Unavailable):
    code = "database-damaged"
    title = N_("数据库有损坏")
    sentence = N_("有数据读不出来。请先停止办理，告诉管理员从备份恢复。")


Outage = type[Unavailable]

#: By SQLite's primary result code. Source: https://sqlite.org/rescode.html
_SQLITE: dict[int, Outage] = {
    5: DatabaseBusy,  # BUSY
    8: StorageReadOnly,  # READONLY
    10: StorageFailing,  # IOERR
    11: DatabaseDamaged,  # CORRUPT
    13: StorageFull,  # FULL
    14: DatabaseAway,  # CANTOPEN
    26: DatabaseDamaged,  # NOTADB
}
#: By SQLSTATE, a whole class or one code. Source: PostgreSQL, appendix A.
_POSTGRESQL: dict[str, Outage] = {
    "08": DatabaseAway,  # connection exception
    "57P": DatabaseAway,  # shutting down, crashed, starting up
    "25006": StorageReadOnly,
    "53100": StorageFull,
    "53": DatabaseBusy,  # no memory, no connection left
    "55P03": DatabaseBusy,  # lock not available
    "57014": DatabaseBusy,  # a statement was cancelled for its time
    "40": DatabaseBusy,  # lost every one of its races
    "58": StorageFailing,  # system error
    "XX001": DatabaseDamaged,
    "XX002": DatabaseDamaged,
}


def faults(database: Database) -> tuple[type[Exception], ...]:
    """Return what a statement may raise: SQLAlchemy's errors, and the driver's own from statements given to it."""
    driver: type[Exception] = database.engine.dialect.loaded_dbapi.Error
    return (sa.exc.DBAPIError, sa.exc.TimeoutError, driver)


def named(fault: BaseException) -> Unavailable | None:
    """Return the outage behind a fault of the database, or None when the fault is our own."""
    kind = _kind(fault)
    return None if kind is None else kind()


def _kind(fault: BaseException) -> Outage | None:
    if isinstance(fault, sa.exc.TimeoutError):
        return DatabaseBusy  # No connection of the pool came free.
    cause = fault.orig if isinstance(fault, sa.exc.DBAPIError) else fault
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return next((_POSTGRESQL[state[:size]] for size in (5, 3, 2) if state[:size] in _POSTGRESQL), None)
    # A driver that has no connection has no code either, only the name that PEP 249 gives such an error.
    is_cut = any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)
    return DatabaseAway if is_cut else None


class _Readiness:
    """What this process has met: when a write last worked, and whether a page was found damaged."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.proven_at: float | None = None
        self.is_damaged = False
        #: The proof that is under way; a commit that waits for a lost standby may take as long as that is away.
        self.proof: _Proof | None = None


class _Proof(threading.Thread):
    """One write for nobody, in a thread of its own: whoever wants to know waits only so long for it."""

    def __init__(self, database: Database, readiness: _Readiness) -> None:
        super().__init__(name="proof", daemon=True)
        self._database, self._readiness = database, readiness
        self.began = time.monotonic()
        self.found = ""
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            self._database.transact(slots.prove_writable)
            self._readiness.proven_at, self.found = time.monotonic(), "ok"
        except faults(self._database) as fault:
            outage = named(fault)
            if outage is None:
                self.fault = fault
            else:
                _note(self._readiness, outage)
                self.found = outage.code
        except BaseException as fault:
            self.fault = fault


def note(outage: Unavailable) -> None:
    """Remember an outage that a request has met, so that readiness looks for itself and not at an old proof."""
    _note(_readiness(), outage)


def _note(readiness: _Readiness, outage: Unavailable) -> None:
    readiness.proven_at = None
    readiness.is_damaged = readiness.is_damaged or isinstance(outage, DatabaseDamaged)


def check(database: Database) -> dict[str, str]:
    """Return whether the database takes writes, and whether this process found damage: "ok", or what is wrong.

    Damage stays until the process starts again, for what was read before it was found may be wrong.
    """
    readiness = _readiness()
    writable = "ok" if _is_proven(readiness) else _prove(database, readiness)
    damaged = "a damaged page was met: restore from a backup and start again"
    return {"writable": writable, "undamaged": damaged if readiness.is_damaged else "ok"}


def _is_proven(readiness: _Readiness) -> bool:
    return readiness.proven_at is not None and time.monotonic() - readiness.proven_at < PROOF_SECONDS


def _prove(database: Database, readiness: _Readiness) -> str:
    with readiness.lock:
        proof = readiness.proof
        if proof is None or not proof.is_alive():
            proof = readiness.proof = _Proof(database, readiness)
            proof.start()
    proof.join(PATIENCE_SECONDS)
    if proof.is_alive():
        waited = time.monotonic() - proof.began
        return f"a write has waited for {waited:.0f} s: a standby may be lost, or somebody else holds the database"
    if proof.fault is not None:
        raise proof.fault
    return proof.found


def _readiness() -> _Readiness:
    found: _Readiness = current_app.extensions["moralbank_readiness"]
    return found


def init_app(app: Flask) -> None:
    app.extensions["moralbank_readiness"] = _Readiness()
