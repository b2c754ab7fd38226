"""What forms and the API say about residents. A name or phone is read the same way as in a roster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank import clock
from moralbank.errors import N_
from moralbank.residents import roster_cells as cells
from moralbank.residents.import_queries import State, Verdict
from moralbank.residents.values import CARD_DIGITS, Consent, Status

_LARGEST_WHOLE = 2**53 - 1
_ID = validate.Range(1, _LARGEST_WHOLE, error=N_("请从列表中选择。"))
_REASON_WORDS = N_("请写下原因，最多 200 个字。")
_WORDS = {
    "empty": N_("请填写这一项。"),
    "formula": N_("不能以 =、+、- 或 @ 开头。"),
    "name-too-long": N_("姓名最多 50 个字。"),
    "not-a-name": N_("姓名里有不像姓名的符号或数字，请核对。"),
    "not-a-phone": N_("手机号要 11 位数字；没有手机的请留空。"),
    "too-long": N_("最多 50 个字。"),
}


class _Typed(fields.String):
    """A text that is read as a roster's cell would be."""

    reader: Callable[[str], str | None]

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return type(self).reader(text)
        except cells.CellRefused as refusal:
            raise ma.ValidationError(_WORDS[refusal.code]) from None

    def _validate(self, value: Any) -> None:
        if value is not None:  # What reads as empty has no length to measure.
            super()._validate(value)


class Name(_Typed):
    reader = staticmethod(cells.read_name)


class Phone(_Typed):
    reader = staticmethod(cells.read_phone)


class Label(_Typed):
    reader = staticmethod(cells.read_label)


def _length(longest: int, error: str) -> validate.Validator:
    return validate.Length(max=longest, error=error)


def _reason() -> fields.String:
    return fields.String(
        required=True,
        validate=validate.Length(1, 200, error=_REASON_WORDS),
        error_messages={"required": _REASON_WORDS},
    )


def _past(on: date | None) -> None:
    if on is not None and on > clock.today():
        raise ma.ValidationError(N_("日期不能晚于今天。"))
    if on is not None and on < cells.EARLIEST_BIRTH:
        raise ma.ValidationError(N_("日期不能早于 1900 年。"))


class ResidentIn(ma.Schema):
    """What is written down about a resident."""

    name = Name(required=True, validate=validate.Length(1, 50, error=N_("姓名要 1 到 50 个字。")))
    phone = Phone(load_default=None, allow_none=True, validate=_length(20, _WORDS["not-a-phone"]))
    branch_id = fields.Integer(required=True, validate=_ID)
    born_on = fields.Date(load_default=None, allow_none=True, validate=_past)
    sex = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf(["female", "male"], error=N_("请选择男或女。"))
    )
    grid = Label(load_default=None, allow_none=True, validate=_length(50, _WORDS["too-long"]))
    building = Label(load_default=None, allow_none=True, validate=_length(50, _WORDS["too-long"]))
    party_member = fields.Boolean(load_default=False)
    joined_on = fields.Date(load_default=None, allow_none=True, validate=_past)
    guardian_name = Name(load_default=None, allow_none=True, validate=_length(50, _WORDS["name-too-long"]))
    guardian_relation = Label(load_default=None, allow_none=True, validate=_length(20, N_("关系最多 20 个字。")))


class NewResidentIn(ResidentIn):
    """Somebody who becomes a resident."""

    household_code = Label(load_default=None, allow_none=True, validate=_length(50, _WORDS["too-long"]))
    consents = fields.List(
        fields.String(validate=validate.OneOf(list(Consent), error=N_("请从列表中选择。"))),
        load_default=list,
        validate=validate.Length(max=len(Consent)),
    )


class HouseholdIn(ma.Schema):
    """Which household a resident belongs to; none takes them out."""

    household_code = Label(load_default=None, allow_none=True, validate=_length(50, _WORDS["too-long"]))


class StatusIn(ma.Schema):
    """What a resident becomes, and why."""

    status = fields.String(required=True, validate=validate.OneOf(list(Status), error=N_("请从列表中选择。")))
    reason = _reason()


class ReasonIn(ma.Schema):
    """Why a card is put out of force."""

    reason = _reason()


class ConsentIn(ma.Schema):
    """Something agreed to, or no longer."""

    kind = fields.String(required=True, validate=validate.OneOf(list(Consent), error=N_("请从列表中选择。")))
    given = fields.Boolean(required=True)


class ResidentQuery(ma.Schema):
    """Which residents to list."""

    search = fields.String(
        load_default="",
        validate=validate.Length(max=50),
        metadata={"description": "Part of a name, resident number, card number, whole phone or its last four digits."},
    )
    status = fields.String(load_default=None, validate=validate.OneOf(list(Status)))
    awaits_guardian = fields.Boolean(
        load_default=False, metadata={"description": "Only minors of whom no guardian is on record."}
    )


class ResidentOut(ma.Schema):
    """A resident as the API shows one; the ledger account carries the points."""

    resident_id = fields.Integer(required=True)
    number = fields.String(required=True)
    name = fields.String(required=True)
    phone = fields.String(required=True, allow_none=True)
    branch_id = fields.Integer(required=True)
    account_id = fields.Integer(required=True)
    household_code = fields.String(required=True, allow_none=True)
    born_on = fields.Date(required=True, allow_none=True)
    sex = fields.String(required=True, allow_none=True)
    grid = fields.String(required=True, allow_none=True)
    building = fields.String(required=True, allow_none=True)
    party_member = fields.Boolean(required=True)
    joined_on = fields.Date(required=True)
    guardian_name = fields.String(required=True, allow_none=True)
    guardian_relation = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(list(Status)))
    awaits_guardian = fields.Boolean(
        required=True, metadata={"description": "A minor who earns and spends nothing before a guardian is on record."}
    )


class CardOut(ma.Schema):
    """A card; out of force once revoked_at stands."""

    card_id = fields.Integer(required=True)
    resident_id = fields.Integer(required=True)
    number = fields.String(required=True, validate=validate.Length(equal=CARD_DIGITS))
    issued_at = fields.AwareDateTime(required=True)
    revoked_at = fields.AwareDateTime(required=True, allow_none=True)
    revoke_reason = fields.String(required=True, allow_none=True)


class ConsentOut(ma.Schema):
    """One time of having agreed: from given_at until withdrawn_at, or until now."""

    kind = fields.String(required=True, validate=validate.OneOf(list(Consent)))
    given_at = fields.AwareDateTime(required=True)
    withdrawn_at = fields.AwareDateTime(required=True, allow_none=True)


class RosterOut(ma.Schema):
    """A roster on its way in, with its rows counted by verdict."""

    import_id = fields.Integer(required=True)
    branch_id = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(list(State)))
    uploaded_at = fields.AwareDateTime(required=True)
    confirmed_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    done_rows = fields.Integer(required=True)
    take = fields.Integer(required=True)
    here = fields.Integer(required=True)
    refuse = fields.Integer(required=True)
    skip = fields.Integer(required=True)
    awaiting_guardian = fields.Integer(
        required=True, metadata={"description": "Minors among the rows to take, of whom no guardian is on record."}
    )


class RosterRowOut(ma.Schema):
    """One row of a roster with its verdict, and what is wrong with it."""

    class ReasonOut(ma.Schema):
        """Why a row is not taken."""

        code = fields.String(required=True)
        column = fields.String(required=True, allow_none=True)
        first_row = fields.Integer(required=True, allow_none=True)

    sheet_row = fields.Integer(required=True)
    verdict = fields.String(required=True, validate=validate.OneOf(list(Verdict)))
    reasons = fields.List(fields.Nested(ReasonOut), required=True)
    opening_points = fields.Integer(required=True)
    resident_id = fields.Integer(required=True, allow_none=True)


class RosterRowQuery(ma.Schema):
    """Which rows to list."""

    verdict = fields.String(load_default=None, validate=validate.OneOf(list(Verdict)))
