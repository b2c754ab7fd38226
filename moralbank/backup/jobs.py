"""The nightly backup: into the folder that is set, and so many of them are kept."""

from __future__ import annotations

import os

from sqlalchemy import Connection

from moralbank import clock, findings
from moralbank.backup import service
from moralbank.backup.sealed import read_key
from moralbank.backup.service import Steps
from moralbank.config import BackupConfig, people_keys_path
from moralbank.db import Database
from moralbank.errors import MoralBankError

#: What the finding about it is called.
NAME = "backup"


def back_up_nightly(database: Database) -> int:
    """Make the night's backup, if a folder for it is set, and let go of the oldest; return how many were made.

    What goes wrong is kept as a finding, by its code, and it is tried again within the hour; older backups then all
    stay. Once an hour is enough.

    Raises: what back_up and read_key raise.
    """
    config = BackupConfig.from_env(os.environ)
    if config.folder is None:
        return 0
    with database.reading() as db:
        last = next((one.good_at for one in findings.list_findings(db, NAME)), None)
    if not findings.is_due(last, clock.now()):
        return 0
    database.transact(_begin)
    try:
        key = read_key(config.key_file) if config.key_file else None
        url = database.engine.url.render_as_string(hide_password=False)
        config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = service.back_up(url, config.folder, key, Steps(), people_keys_path(os.environ))
    except (MoralBankError, OSError) as fault:
        said = fault.code if isinstance(fault, MoralBankError) else type(fault).__name__
        database.transact(findings.note, NAME, is_good=False, said=said)
        raise
    service.keep_newest(config.folder, config.keep)
    said = f"{made.name}, {made.stat().st_size:,} bytes, {'encrypted' if key else 'not encrypted'}"
    database.transact(findings.note, NAME, is_good=True, said=said)
    return 1


def _begin(_db: Connection) -> None:
    """Take the job's slot before what takes long, so that nobody else begins the same."""
