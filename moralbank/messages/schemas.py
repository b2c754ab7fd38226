"""What people say about their messages."""

from __future__ import annotations

import re

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.messages.models import FAULT_MAX
from moralbank.messages.queries import STATES

#: One mailbox as nearly all are written; what else the standard allows no mail form takes.
_MAILBOX = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}")
_NOT_ONE = N_("请填一个邮箱地址，例如 name@example.com。")


class MailboxIn(ma.Schema):
    """Where somebody wants their e-mail."""

    address = fields.String(
        required=True,
        validate=[validate.Length(max=254, error=_NOT_ONE), validate.Regexp(_MAILBOX.pattern + r"\Z", error=_NOT_ONE)],
    )


class CodeIn(ma.Schema):
    """The code that came by e-mail."""

    code = fields.String(required=True, validate=validate.Regexp(r"\d{6}\Z", error=N_("请填邮件里的 6 位数字。")))


class DeliveryQuery(ma.Schema):
    """Which deliveries."""

    state = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(STATES))


class DeliveryOut(ma.Schema):
    """One way of a message out of the house, and how it went; never what it says."""

    delivery_id = fields.Integer(required=True)
    message_id = fields.Integer(required=True)
    channel = fields.String(required=True, validate=validate.OneOf(("email", "sms", "wechat")))
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    kind = fields.String(required=True)
    resident_id = fields.Integer(required=True, allow_none=True)
    merchant_id = fields.Integer(required=True, allow_none=True)
    login_id = fields.Integer(required=True, allow_none=True)
    branch_id = fields.Integer(required=True)
    tries = fields.Integer(required=True)
    planned_at = fields.AwareDateTime(required=True)
    next_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    fault = fields.String(required=True, allow_none=True, validate=validate.Length(max=FAULT_MAX))
