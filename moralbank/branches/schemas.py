"""What forms and the API say about branches."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.branches.queries import KINDS

_NAME = validate.Length(1, 100)


class BranchText(ma.Schema):
    """The particulars that may change."""

    class Meta:
        unknown = ma.EXCLUDE

    name_zh = fields.String(required=True, validate=_NAME)
    name_en = fields.String(required=True, validate=_NAME)
    address = fields.String(load_default="", validate=validate.Length(max=200))
    opening_hours = fields.String(load_default="", validate=validate.Length(max=100))

    @ma.pre_load
    def trim(self, data: dict[str, object], **_: object) -> dict[str, object]:
        """Drop the spaces that a form brings along."""
        return {name: value.strip() if isinstance(value, str) else value for name, value in data.items()}


class NewBranch(BranchText):
    """A branch to be opened."""

    code = fields.String(required=True, validate=validate.Regexp(r"^[A-Z0-9][A-Z0-9-]{0,15}$"))
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    parent_id = fields.Integer(load_default=None, allow_none=True)

    @ma.pre_load
    def no_parent(self, data: dict[str, object], **_: object) -> dict[str, object]:
        """Read the empty choice of a form as the top of the tree, and a code as it is printed."""
        code = data.get("code")
        return data | {
            "parent_id": data.get("parent_id") or None,
            "code": code.strip().upper() if isinstance(code, str) else code,
        }


class BranchOut(ma.Schema):
    """A branch as the API shows it."""

    branch_id = fields.Integer(required=True)
    code = fields.String(required=True)
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    parent_id = fields.Integer(required=True, allow_none=True)
    address = fields.String(required=True)
    opening_hours = fields.String(required=True)
