"""What a bank needs on its first day: a hub with its book, the earning rules, and somebody who may let others in."""

from __future__ import annotations

from sqlalchemy import Connection

from moralbank import earning
from moralbank.access import service as access
from moralbank.access.errors import NameTaken
from moralbank.access.queries import find_login
from moralbank.access.service import GrantDraft
from moralbank.branches.queries import list_branches
from moralbank.branches.service import BranchDraft, open_branch
from moralbank.db import Database

ADMINISTRATOR = "admin"
FIRST_HUB = BranchDraft("HUB", "道德银行中心空间", "Moral Bank Hub", "hub", None)
CONSULTATION = "开行时随软件提供的规则；本地征求意见、商议、决定和公开后可采用新版本。"


def first_start(database: Database) -> str | None:
    """Make what is missing and return the first administrator's password, or None when there was one already.

    Any number of processes may call it at once, and it may be called at every start.
    """
    return database.transact(_first_start)


def _first_start(db: Connection) -> str | None:
    if find_login(db, ADMINISTRATOR) is not None:
        return None
    try:
        # The login comes first: of processes that start at once, one gets the name and the others wait for it here.
        opened = access.open_login(db, ADMINISTRATOR, "管理员", [GrantDraft("admin", None)], by=None)
    except NameTaken:
        return None
    if not list_branches(db):
        open_branch(db, FIRST_HUB)
    earning.load_rules(db, earning.packaged_rules(), actor=access.SYSTEM, consultation=CONSULTATION)
    return opened.secret
