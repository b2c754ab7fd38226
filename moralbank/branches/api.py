"""API operations on branches."""

from __future__ import annotations

from sqlalchemy import Connection

from moralbank.branches import queries
from moralbank.branches.queries import Branch
from moralbank.branches.schemas import BranchOut
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint("branches", __name__, description="The tree of places: district, street, hub, station.")

_READERS = ("resident", "operator", "staff", "auditor", "admin")


@blueprint.reads("/branches", BranchOut, paged=True)
@allow(*_READERS, scope="branch", token="branches:read")
def list_branches(db: Connection, *, page: Paging) -> Page:
    """List the branches that the token reaches, by id."""
    found = sorted(queries.list_branches_under(db, scope_paths()), key=_by_id)
    return page.cut(found, _by_id)


@blueprint.reads("/branches/<int:branch_id>", BranchOut)
@allow(*_READERS, scope="branch", token="branches:read")
def get_branch(db: Connection, branch_id: int) -> Branch:
    """Show one branch."""
    within(branch_id)
    return queries.get_branch(db, branch_id)


def _by_id(branch: Branch) -> int:
    return branch.branch_id
