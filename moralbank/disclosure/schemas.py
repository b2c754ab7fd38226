"""What is asked, answered and shown about notices and objections."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.disclosure.models import REASON_MAX
from moralbank.disclosure.service import DAYS_UP, DAYS_UP_MAX, DAYS_UP_MIN
from moralbank.disclosure.values import Kind, State
from moralbank.errors import N_
from moralbank.objections.queries import STATES
from moralbank.objections.service import CONTACT_MAX, FROM_MAX, TEXT_MAX


def _words(**more: Any) -> fields.String:
    return fields.String(required=True, validate=validate.Length(2, TEXT_MAX, error=N_("请写 2 到 500 个字。")), **more)


class DraftIn(ma.Schema):
    """Which notice to draft."""

    branch_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))
    kind = fields.String(required=True, validate=validate.OneOf([str(kind) for kind in Kind]))
    #: Any day of the month or quarter.
    day = fields.Date(required=True)


class PublishIn(ma.Schema):
    """For how many days anybody may see it."""

    days = fields.Integer(
        load_default=DAYS_UP,
        validate=validate.Range(DAYS_UP_MIN, DAYS_UP_MAX, error=N_("公示期请填 5 到 30 天。")),
    )


class ReasonIn(ma.Schema):
    """Why it is taken down."""

    reason = fields.String(
        required=True, validate=validate.Length(2, REASON_MAX, error=N_("请用一句话写明原因，最多 200 字。"))
    )


class ObjectionIn(ma.Schema):
    """What somebody says is wrong."""

    words = _words()


class StrangerIn(ObjectionIn):
    """As above, from somebody who isn't signed in."""

    from_name = fields.String(
        required=True, validate=validate.Length(1, FROM_MAX, error=N_("请写您的称呼，最多 50 个字。"))
    )
    contact = fields.String(
        required=True, validate=validate.Length(5, CONTACT_MAX, error=N_("请留一个电话或地址，好答复您。"))
    )


class AnswerIn(ma.Schema):
    """What an objection is answered."""

    outcome = fields.String(
        required=True, validate=validate.OneOf(("upheld", "explained"), error=N_("请选择成立还是不成立。"))
    )
    words = _words()


class NoticeQuery(ma.Schema):
    """Which notices."""

    state = fields.String(load_default=None, allow_none=True, validate=validate.OneOf([str(one) for one in State]))


class NoticeOut(ma.Schema):
    """A public notice, with what it says and the SHA-256 of that."""

    notice_id = fields.Integer(required=True)
    branch_id = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([str(kind) for kind in Kind]))
    state = fields.String(required=True, validate=validate.OneOf([str(one) for one in State]))
    since_on = fields.Date(required=True)
    until_on = fields.Date(required=True)
    content = fields.String(required=True)
    content_hash = fields.Function(lambda notice: notice.content_hash.hex(), required=True)
    drafted_at = fields.AwareDateTime(required=True)
    published_at = fields.AwareDateTime(required=True, allow_none=True)
    up_until_on = fields.Date(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)


class ObjectionQuery(ma.Schema):
    """Which objections."""

    state = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(STATES))


class ObjectionOut(ma.Schema):
    """What somebody said is wrong, and what they were answered."""

    objection_id = fields.Integer(required=True)
    branch_id = fields.Integer(required=True)
    about_kind = fields.String(required=True, validate=validate.OneOf(("line", "notice", "late_entry")))
    about = fields.String(required=True)
    resident_id = fields.Integer(required=True, allow_none=True)
    words = fields.String(required=True)
    raised_at = fields.AwareDateTime(required=True)
    answer_by = fields.Date(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    answer = fields.String(required=True, allow_none=True)
    answered_at = fields.AwareDateTime(required=True, allow_none=True)
