"""What forms say about logins, secrets and tokens."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_

_ID = validate.Range(1, 2**53 - 1, error=N_("请从列表中选择。"))


class ChangeSecret(ma.Schema):
    """The owner's old secret and the new one, typed twice."""

    current = fields.String(required=True, validate=validate.Length(max=128))
    secret = fields.String(required=True, validate=validate.Length(max=256))
    again = fields.String(required=True, validate=validate.Length(max=256))

    @ma.validates_schema
    def same(self, data: dict[str, str], **_: object) -> None:
        """Refuse two different new secrets."""
        if data["secret"] != data["again"]:
            raise ma.ValidationError(N_("两次输入的新密码不一样，请再输一次。"), "again")


class GrantForm(ma.Schema):
    """A role at a branch; without branch_id it holds in the whole bank."""

    role = fields.String(
        required=True,
        validate=validate.OneOf(("staff", "auditor", "admin", "operator"), error=N_("请选择角色。")),
    )
    branch_id = fields.Integer(load_default=None, allow_none=True, validate=_ID)
    merchant_id = fields.Integer(load_default=None, allow_none=True, validate=_ID)


class NewLogin(GrantForm):
    """A named login with its first role."""

    name = fields.String(required=True, validate=validate.Length(2, 32, error=N_("登录名要 2 到 32 个字，不含空格。")))
    display_name = fields.String(required=True, validate=validate.Length(1, 50, error=N_("姓名要 1 到 50 个字。")))


class NewToken(ma.Schema):
    """An API token to be issued."""

    name = fields.String(required=True, validate=validate.Length(1, 50, error=N_("用途要 1 到 50 个字。")))
    scopes = fields.List(fields.String(), required=True, validate=validate.Length(1, error=N_("请至少勾选一项权限。")))
    expires_on = fields.Date(required=True)
