"""What forms and the API say about merchants and offers."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.errors import N_
from moralbank.merchants.queries import SETTLEMENT_MODES, STATUSES
from moralbank.merchants.schedules import EVERY_DAY, Schedule

_CODE = validate.Regexp(r"\A[A-Z0-9][A-Z0-9-]{0,15}\Z", error=N_("编号用大写字母、数字和短横，最多 16 位，例如 M015。"))
_TIME = validate.Regexp(r"\A(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z", error=N_("请填一个时间，例如 14:30。"))
_POINTS_MAX = 999_999
_COUNT_MAX = 1_000_000
_FEN_MAX = 100_000_000


def _text(longest: int, **given: object) -> fields.String:
    words = N_("请填写，不要太长。")
    return fields.String(required=True, validate=validate.Length(1, longest, error=words), **given)  # type: ignore[arg-type]


def _count(least: int, most: int, words: str) -> fields.Integer:
    return fields.Integer(required=True, validate=validate.Range(least, most, error=words))


def _weekdays() -> fields.List:
    return fields.List(
        fields.Integer(validate=validate.Range(1, 7, error=N_("请选周一到周日。"))),
        load_default=[],
        validate=validate.Length(max=7),
        metadata={"description": "Monday is 1, Sunday 7; none: every day."},
    )


class MerchantText(ma.Schema):
    """The particulars of a merchant that may change."""

    name = _text(100)
    kind = _text(32)
    contact = _text(100)
    phone = fields.String(
        required=True,
        validate=validate.Regexp(r"\A[0-9+][0-9 -]{4,30}\Z", error=N_("请填电话号码，只用数字、空格和短横。")),
    )
    settlement_mode = fields.String(
        required=True, validate=validate.OneOf(SETTLEMENT_MODES, error=N_("请选择结算方式。"))
    )


class NewMerchant(MerchantText):
    """A merchant that applies at a branch."""

    code = fields.String(required=True, validate=_CODE)
    branch_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))


class MerchantMove(ma.Schema):
    """A merchant's next status."""

    status = fields.String(required=True, validate=validate.OneOf(STATUSES))


class MerchantOut(ma.Schema):
    """A merchant as the API shows it; points only ever arrive here."""

    merchant_id = fields.Integer(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    branch_id = fields.Integer(required=True)
    settlement_mode = fields.String(required=True, validate=validate.OneOf(SETTLEMENT_MODES))
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))


class ScheduleText(ma.Schema):
    """When an offer can be had; what is not said is no bound. Loads a Schedule. Shape: closes "24:00" is midnight."""

    from_on = fields.Date(load_default=None, allow_none=True)
    until_on = fields.Date(load_default=None, allow_none=True, metadata={"description": "The last day."})
    weekdays = _weekdays()
    opens = fields.String(load_default="00:00", validate=_TIME)
    closes = fields.String(load_default="24:00", validate=_TIME)

    @ma.post_load
    def _to_schedule(self, given: dict[str, Any], **_: Any) -> Any:
        return to_schedule(given)


def to_schedule(given: dict[str, Any]) -> Schedule:
    """Take a schedule's fields out of what was given. Raises: ValidationError where no moment is left in it."""
    from_on, until_on = given.pop("from_on"), given.pop("until_on")
    weekdays = sum(1 << day - 1 for day in set(given.pop("weekdays"))) or EVERY_DAY
    opens, closes = (_minutes(given.pop(name)) for name in ("opens", "closes"))
    if from_on is not None and until_on is not None and until_on < from_on:
        raise ma.ValidationError({"until_on": [N_("结束日期不能早于开始日期。")]})
    if closes <= opens:
        raise ma.ValidationError({"closes": [N_("结束时间要晚于开始时间。")]})
    schedule = Schedule(from_on, until_on, weekdays, opens, closes)
    if not schedule.has_days:
        raise ma.ValidationError({"weekdays": [N_("这段日期里没有您选的星期几，请改日期或星期。")]})
    return schedule


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def time_text(minutes: int) -> str:
    """Return minutes since midnight as "09:30"."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def schedule_fields(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as the API shows it and a form holds it."""
    return {
        "from_on": schedule.from_on,
        "until_on": schedule.until_on,
        "weekdays": [day for day in range(1, 8) if schedule.weekdays >> day - 1 & 1],
        "opens": time_text(schedule.opens_minutes),
        "closes": time_text(schedule.closes_minutes),
    }


class ScheduleOut(ma.Schema):
    """When an offer can be had."""

    @ma.pre_dump
    def _to_fields(self, schedule: Schedule, **_: Any) -> dict[str, Any]:
        return schedule_fields(schedule)

    from_on = fields.Date(required=True, allow_none=True)
    until_on = fields.Date(required=True, allow_none=True)
    weekdays = fields.List(fields.Integer(), required=True)
    opens = fields.String(required=True)
    closes = fields.String(required=True)


class OfferText(ma.Schema):
    """The particulars of an offer that may change. Shape: settlement_fen is hundredths of a yuan."""

    title = _text(100)
    points = _count(0, _POINTS_MAX, N_("请填 0 到 999999 的整数。"))
    monthly_quota = _count(1, _COUNT_MAX, N_("请填 1 到 1000000 的整数。"))
    per_resident_per_month = _count(1, _COUNT_MAX, N_("请填 1 到 1000000 的整数。"))
    settlement_fen = _count(0, _FEN_MAX, N_("请填 0 到 100000000 分之间的金额。"))
    schedule = fields.Nested(
        ScheduleText,
        load_default=None,
        allow_none=True,
        metadata={"description": "Left out: it stays as it stands; an empty object: always."},
    )


class NewOffer(OfferText):
    """An offer to be added to a merchant."""

    code = fields.String(required=True, validate=_CODE)
    merchant_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))


class Yuan(fields.Integer):
    """An amount written in yuan on a form, "3.50", and held in hundredths."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,2}))?", unicodedata.normalize("NFKC", str(value)), re.ASCII)
        if found is None:
            raise ma.ValidationError(N_("请填金额，例如 3 或 3.50。"))
        return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


class FormSchedule(ma.Schema):
    """A schedule's fields among those of an offer's form."""

    from_on = fields.Date(load_default=None)
    until_on = fields.Date(load_default=None)
    weekdays = _weekdays()
    opens = fields.String(load_default="00:00", validate=_TIME)
    closes = fields.String(load_default="24:00", validate=_TIME)

    @ma.post_load
    def _with_schedule(self, given: dict[str, Any], **_: Any) -> dict[str, Any]:
        return given | {"schedule": to_schedule(given)}


class OfferForm(OfferText, FormSchedule):
    """An offer's particulars as staff type them."""

    settlement_fen = Yuan(required=True, data_key="settlement_yuan")


class ReturnForm(ma.Schema):
    """What a shop is to mend."""

    reason = _text(200)


class NewOfferForm(NewOffer, FormSchedule):
    """A new offer as staff type it."""

    settlement_fen = Yuan(required=True, data_key="settlement_yuan")


class OfferOut(ma.Schema):
    """An offer with what is left of it this month."""

    offer_id = fields.Integer(required=True, attribute="offer.offer_id")
    merchant_id = fields.Integer(required=True, attribute="offer.merchant_id")
    code = fields.String(required=True, attribute="offer.code")
    title = fields.String(required=True, attribute="offer.title")
    points = fields.Integer(required=True, attribute="offer.points")
    monthly_quota = fields.Integer(required=True, attribute="offer.monthly_quota")
    per_resident_per_month = fields.Integer(required=True, attribute="offer.per_resident_per_month")
    settlement_fen = fields.Integer(required=True, attribute="offer.settlement_fen")
    status = fields.String(required=True, attribute="offer.status", validate=validate.OneOf(("active", "suspended")))
    schedule = fields.Nested(ScheduleOut, required=True, attribute="offer.schedule")
    open_now = fields.Boolean(required=True, attribute="is_open", metadata={"description": "By its schedule."})
    opens_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "When it can be had next by its schedule; null: it is over."},
    )
    photo_path = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where its photo is, a JPEG of 640 by 480; null: it has none."},
    )
    left = fields.Integer(required=True)
