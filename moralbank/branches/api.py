"""API operations of the branch tree."""

from __future__ import annotations

from marshmallow import Schema, fields
from sqlalchemy import Connection

from moralbank.branches import queries
from moralbank.branches.errors import UnknownBranch
from moralbank.branches.queries import Branch
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow, scope_paths, within
from moralbank.web.paging import Page, Paging

blueprint = ApiBlueprint(
    "branches", __name__, description="The bank's places: districts, streets, hubs, stations."
)

_READERS = ("resident", "operator", "staff", "auditor", "admin")


class BranchOut(Schema):
    """A place of the bank as the API shows it."""

    branch_id = fields.Integer(required=True)
    code = fields.String(required=True)
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)
    kind = fields.String(required=True)
    parent_id = fields.Integer(required=True, allow_none=True)
    address = fields.String(required=True)
    opening_hours = fields.String(required=True)


@blueprint.reads("/branches", BranchOut, paged=True)
@allow(*_READERS, scope="branch", token="branches:read")
def list_branches(db: Connection, *, page: Paging) -> Page:
    """List the branches within reach, by code."""
    branches = sorted(queries.list_branches_under(db, scope_paths()), key=lambda branch: branch.code)
    return page.cut(branches, key=lambda branch: branch.code)


@blueprint.reads("/branches/<code>", BranchOut, refusals=[UnknownBranch])
@allow(*_READERS, scope="branch", token="branches:read")
def get_branch(db: Connection, *, code: str) -> Branch:
    """Show one branch."""
    branch = queries.find_branch(db, code)
    if branch is None:
        raise UnknownBranch(branch=code)
    within(branch.branch_id)
    return branch
