"""What forms and the API say about branches."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.branches.queries import KINDS
from moralbank.errors import N_

_ID = validate.Range(1, 2**53 - 1, error=N_("请从列表中选择。"))
_NAME = validate.Length(1, 100, error=N_("请填 1 到 100 个字。"))


class BranchText(ma.Schema):
    """The particulars that may change."""

    name_zh = fields.String(required=True, validate=_NAME)
    name_en = fields.String(required=True, validate=_NAME)
    address = fields.String(load_default="", validate=validate.Length(max=200, error=N_("地址最多 200 个字。")))
    opening_hours = fields.String(
        load_default="", validate=validate.Length(max=100, error=N_("开放时间最多 100 个字。"))
    )


class NewBranch(BranchText):
    """A branch to be opened; without parent_id it stands at the top of the tree."""

    code = fields.String(
        required=True,
        validate=validate.Regexp(
            r"^[A-Z0-9][A-Z0-9-]{0,15}$", error=N_("编号用大写字母、数字和短横，最多 16 位，例如 NS-07。")
        ),
    )
    kind = fields.String(required=True, validate=validate.OneOf(KINDS, error=N_("请选择网点类型。")))
    parent_id = fields.Integer(load_default=None, allow_none=True, validate=_ID)


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
