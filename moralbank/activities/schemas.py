"""What forms and the API say about activities, sessions, scans and awards."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.activities import verdicts
from moralbank.activities.late_queries import LateState
from moralbank.activities.values import Direction, Mode, State, Status
from moralbank.errors import N_
from moralbank.residents.schemas import Name, Phone

_MOMENT = {"format": "iso", "metadata": {"description": "An instant with its offset, RFC 3339."}}
_COUNT = validate.Range(1, 100_000, error=N_("请填 1 到 100000 之间的整数，不限请留空。"))
_MINUTES = validate.Range(0, 1440, error=N_("请填 0 到 1440 之间的分钟数。"))
_MODES = [mode.value for mode in Mode]


class ActivityText(ma.Schema):
    """What an activity says."""

    title = fields.String(required=True, validate=validate.Length(1, 100, error=N_("活动名称要 1 到 100 个字。")))
    rule_code = fields.String(required=True, validate=validate.Length(1, 16, error=N_("请从规则表里选一条。")))
    branch_id = fields.Integer(required=True, validate=validate.Range(1, 2**53 - 1))
    #: A session in somebody's home has none.
    place = fields.String(load_default="", validate=validate.Length(max=100, error=N_("地点要 1 到 100 个字。")))
    description = fields.String(load_default="", validate=validate.Length(max=2000, error=N_("说明最多 2000 个字。")))
    capacity = fields.Integer(load_default=None, allow_none=True, validate=_COUNT)
    mode = fields.String(load_default=Mode.ROTATING.value, validate=validate.OneOf(_MODES, error=N_("请选一种。")))
    needs_signup = fields.Boolean(load_default=False)
    leader_number = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"^[0-9]{8}$", error=N_("居民号是 8 位数字。")),
    )


class NewActivity(ActivityText):
    """An activity to be announced."""

    code = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"^[A-Z0-9][A-Z0-9-]{0,31}$", error=N_("编号用大写字母、数字和短横，最多 32 位。")),
    )


class SessionForm(ma.Schema):
    """A session as a page asks for it: a day and two times of that day on the bank's clock."""

    on = fields.Date(required=True)
    starts = fields.Time(required=True, format="%H:%M")
    ends = fields.Time(required=True, format="%H:%M")


class NewActivityForm(NewActivity, SessionForm):
    """An activity with its first session, as a page asks for them together."""


class WindowFields(ma.Schema):
    """Minutes around the planned start and end in which scans count."""

    in_before = fields.Integer(load_default=30, validate=_MINUTES)
    in_after = fields.Integer(load_default=30, validate=_MINUTES)
    out_before = fields.Integer(load_default=30, validate=_MINUTES)
    out_after = fields.Integer(load_default=60, validate=_MINUTES)


class HoursForm(SessionForm, WindowFields):
    """A session's day, times and scanning hours."""


class NewSession(WindowFields):
    """A session as the API takes it."""

    starts_at = fields.AwareDateTime(required=True, **_MOMENT)
    ends_at = fields.AwareDateTime(required=True, **_MOMENT)


class DeskScan(ma.Schema):
    """What the desk sends: a card or number, and how it is meant."""

    code = fields.String(load_default="", validate=validate.Length(max=100))
    direction = fields.String(load_default="", validate=validate.OneOf(["", *Direction]))
    reason = fields.String(load_default="", validate=validate.Length(max=200, error=N_("原因最多 200 个字。")))
    override = fields.Boolean(load_default=False)
    nonce = fields.String(load_default="", validate=validate.Length(max=64))
    typed = fields.String(load_default="", validate=validate.Length(max=10))


class ActivityQuery(ma.Schema):
    """Which activities to list."""

    status = fields.String(
        validate=validate.OneOf([status.value for status in Status]),
        metadata={"description": "Only activities that have got so far."},
    )


class ActivityOut(ma.Schema):
    """An activity as the API shows it."""

    activity_id = fields.Integer(required=True)
    code = fields.String(required=True)
    title = fields.String(required=True)
    rule_code = fields.String(required=True)
    branch_id = fields.Integer(required=True)
    place = fields.String(required=True)
    description = fields.String(required=True)
    capacity = fields.Integer(required=True, allow_none=True)
    mode = fields.String(required=True, validate=validate.OneOf(_MODES))
    needs_signup = fields.Boolean(required=True)
    status = fields.String(required=True, validate=validate.OneOf([status.value for status in Status]))


class SessionOut(ma.Schema):
    """A session as the API shows it, with how many come and came."""

    session_id = fields.Integer(required=True, attribute="session.session_id")
    activity_id = fields.Integer(required=True, attribute="session.activity.activity_id")
    title = fields.String(required=True, attribute="session.activity.title")
    starts_at = fields.AwareDateTime(required=True, attribute="session.starts_at", **_MOMENT)
    ends_at = fields.AwareDateTime(required=True, attribute="session.ends_at", **_MOMENT)
    state = fields.String(
        required=True, attribute="session.state", validate=validate.OneOf([state.value for state in State])
    )
    going = fields.Integer(required=True)
    waiting = fields.Integer(required=True)
    present = fields.Integer(required=True)
    head_count = fields.Integer(required=True, allow_none=True, attribute="session.head_count")


class NewSignup(ma.Schema):
    """Who signs up."""

    resident_number = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{8}$"))


class SignupOut(ma.Schema):
    """A sign-up as the API shows it."""

    resident_number = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(["going", "waiting", "cancelled"]))
    signed_up_at = fields.AwareDateTime(required=True, **_MOMENT)


class NewScan(ma.Schema):
    """One scan of a batch; the nonce is the caller's key of it, so that a retry is answered and not counted again."""

    nonce = fields.String(required=True, validate=validate.Regexp(r"^[\x21-\x7e]{8,64}$"))
    code = fields.String(
        required=True,
        validate=validate.Regexp(r"^([0-9]{8}|[0-9]{24})$"),
        metadata={"description": "A card's 24 digits or a resident's eight."},
    )
    direction = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf([way.value for way in Direction])
    )


SCANS_MAX = 100


class NewScans(ma.Schema):
    """A batch of scans."""

    items = fields.List(fields.Nested(NewScan), required=True, validate=validate.Length(1, SCANS_MAX))


class VerdictOut(ma.Schema):
    """What became of one scan."""

    nonce = fields.String(required=True)
    verdict = fields.String(required=True, validate=validate.OneOf(verdicts.CODES))
    sentence = fields.String(required=True)
    direction = fields.String(required=True, allow_none=True)
    at = fields.AwareDateTime(required=True, allow_none=True, **_MOMENT)


class VerdictsOut(ma.Schema):
    """A verdict for each scan, in the order given."""

    items = fields.List(fields.Nested(VerdictOut), required=True)


class DecisionIn(ma.Schema):
    """That the leader saw a person."""

    resident_number = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{8}$"))
    minutes = fields.Integer(load_default=None, allow_none=True, validate=_MINUTES)


class NewSignOff(ma.Schema):
    """The leader's signature."""

    head_count = fields.Integer(required=True, validate=validate.Range(0, 100_000))
    confirmed = fields.List(fields.Nested(DecisionIn), required=True, validate=validate.Length(max=5000))
    closes_early = fields.Boolean(
        load_default=False,
        metadata={"description": "After the planned end, wait for nobody who may still check out."},
    )


class AwardOut(ma.Schema):
    """What a session brought one person."""

    resident_number = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(["attendance", "leading", "first-service"]))
    present_minutes = fields.Integer(required=True)
    service_minutes = fields.Integer(required=True)
    points = fields.Integer(required=True)
    surplus_points = fields.Integer(required=True)
    grade = fields.String(required=True)
    capped_by = fields.List(fields.String(), required=True)
    is_review = fields.Boolean(required=True)
    reason = fields.String(required=True)
    entry_id = fields.UUID(required=True, allow_none=True)


class SignOffOut(ma.Schema):
    """A signed-off session with every outcome; is_repeat: it was signed before and nothing was posted now."""

    session_id = fields.Integer(required=True)
    head_count = fields.Integer(required=True)
    is_repeat = fields.Boolean(required=True)
    waits_for_second = fields.Boolean(
        required=True,
        metadata={"description": "Nothing is credited before somebody else agrees on the page of the sign-off."},
    )
    awards = fields.List(fields.Nested(AwardOut), required=True)


_WHY = validate.Length(2, 200, error=N_("请用一句话写明，最多 200 字。"))


class NewcomerForm(ma.Schema):
    """The three fields of whoever registers at the door."""

    name = Name(required=True, validate=validate.Length(1, 50, error=N_("姓名要 1 到 50 个字。")))
    phone = Phone(required=True, validate=validate.Length(max=20, error=N_("手机号要 11 位数字；没有手机的请留空。")))
    secret = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{6}$", error=N_("密码要 6 位数字。")))


class HelpedForm(ma.Schema):
    """Who is helped in a session: a resident by number, or what somebody else is called."""

    number = fields.String(load_default=None, validate=validate.Regexp(r"^[0-9]{8}$", error=N_("居民号是 8 位数字。")))
    label = fields.String(load_default="", validate=validate.Length(max=50, error=N_("最多 50 个字。")))

    @ma.validates_schema
    def _somebody(self, given: dict[str, object], **_kwargs: object) -> None:
        if not given.get("number") and not str(given.get("label", "")).strip():
            raise ma.ValidationError(N_("请填居民号，或写下怎么称呼。"), "number")


class ObjectionIn(ma.Schema):
    """Why a late entry is wrong."""

    reason = fields.String(required=True, validate=_WHY)


class TicksIn(ma.Schema):
    """Whom staff sees in a spot check."""

    resident_numbers = fields.List(
        fields.String(validate=validate.Regexp(r"^[0-9]{8}$")), required=True, validate=validate.Length(1, 5000)
    )


class SpotCheckOut(ma.Schema):
    """A spot check: who was inside when it was opened, and who of them has not answered, by number."""

    spot_id = fields.Integer(required=True)
    session_id = fields.Integer(required=True)
    opened_at = fields.AwareDateTime(required=True)
    closes_at = fields.AwareDateTime(required=True, metadata={"description": "Until then phones may answer."})
    is_open = fields.Boolean(required=True)
    expected = fields.List(fields.String(), required=True)
    missing = fields.List(fields.String(), required=True)


class ReturnForm(ma.Schema):
    """Why a sign-off goes back to its leader."""

    reason = fields.String(required=True, validate=_WHY)


class LateForm(ma.Schema):
    """A late entry as a page asks for it: a number and two times of the session's day."""

    number = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{8}$", error=N_("居民号是 8 位数字。")))
    came = fields.Time(required=True, format="%H:%M")
    left = fields.Time(required=True, format="%H:%M")
    reason = fields.String(required=True, validate=_WHY)
    evidence = fields.String(required=True, validate=_WHY)


class NewLate(ma.Schema):
    """Who was at a session and was never scanned, from when to when, and what it is known from."""

    resident_number = fields.String(required=True, validate=validate.Regexp(r"^[0-9]{8}$"))
    came_at = fields.AwareDateTime(required=True, **_MOMENT)
    left_at = fields.AwareDateTime(required=True, **_MOMENT)
    reason = fields.String(required=True, validate=_WHY)
    evidence = fields.String(required=True, validate=_WHY)


class LateQuery(ma.Schema):
    """Which late entries to list."""

    open = fields.Boolean(load_default=False, metadata={"description": "Only those of which something may still come."})


class LateOut(ma.Schema):
    """A late entry, how far it has got, and when it posts if nobody objects."""

    late_id = fields.Integer(required=True)
    request_id = fields.Integer(required=True, attribute="request.request_id")
    session_id = fields.Integer(required=True)
    resident_id = fields.Integer(required=True)
    branch_id = fields.Integer(required=True)
    came_at = fields.AwareDateTime(required=True, **_MOMENT)
    left_at = fields.AwareDateTime(required=True, **_MOMENT)
    minutes = fields.Integer(required=True)
    reason = fields.String(required=True, attribute="request.reason")
    evidence = fields.String(required=True)
    is_related = fields.Boolean(
        required=True, metadata={"description": "The resident leads the activity or shares the leader's home."}
    )
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in LateState]))
    posts_at = fields.AwareDateTime(required=True, allow_none=True, **_MOMENT)
    maker = fields.String(required=True, attribute="request.maker")
    checker = fields.String(required=True, allow_none=True, attribute="request.checker")
    note = fields.String(required=True, allow_none=True)
