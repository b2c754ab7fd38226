"""What the audit pages' URLs may ask, and what the API says about the books."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from moralbank.access.deeds import Kind, Reason
from moralbank.errors import N_
from moralbank.ledger import GRADES, KINDS, MAX_AMOUNT, AccountKind, Unit

UNITS = {unit.name.lower(): unit for unit in Unit}

_DATE: dict[str, Any] = {"invalid": N_("请填一个日期，例如 2026-11-21。")}
_MOMENT: dict[str, Any] = {"invalid": N_("请填日期和时间，例如 2026-11-21T14:30。")}
_DAYS = validate.Range(date(2000, 1, 1), date(2100, 1, 1), error=N_("日期要在 2000 年和 2100 年之间。"))
_TIMES = validate.Range(datetime(2000, 1, 1), datetime(2100, 1, 1), error=N_("时间要在 2000 年和 2100 年之间。"))
_INSTANTS = validate.Range(
    datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), error=N_("时间要在 2000 年和 2100 年之间。")
)


def _text(longest: int, **more: object) -> fields.String:
    limit = validate.Length(1, longest, error=N_("太长了，请核对。"))
    return fields.String(load_default=None, validate=limit, **more)  # type: ignore[arg-type]


class EntryFilters(ma.Schema):
    """Which entries to read; dates are the bank's local days of posting, both included."""

    branch = _text(16, metadata={"description": "Code of a branch; it and all below it."})
    holder = _text(32, metadata={"description": "Account number, resident number, card, or merchant code."})
    kind = fields.String(load_default=None, validate=validate.OneOf(sorted(KINDS), error=N_("请选择种类。")))
    rule = _text(16, metadata={"description": "Code of an earning rule."})
    actor = _text(64, metadata={"description": "role:login, for example staff:12."})
    grade = fields.String(load_default=None, validate=validate.OneOf(sorted(GRADES), error=N_("请选择证据等级。")))
    since = fields.Date(load_default=None, validate=_DAYS, error_messages=_DATE)
    until = fields.Date(load_default=None, validate=_DAYS, error_messages=_DATE)


class BookChoice(ma.Schema):
    """Which of the books in reach; the first one when none is named."""

    book = _text(32)


class EntryPage(EntryFilters, BookChoice):
    """The audit explorer's URL."""

    before = fields.Integer(load_default=None, validate=validate.Range(1, MAX_AMOUNT))


class GradePage(BookChoice):
    """Which month's sessions to count by evidence grade."""

    month = fields.Date(format="%Y-%m", load_default=None, validate=_DAYS, error_messages=_DATE)


class GradeQuery(GradePage):
    """The same for the API; without a month, the present one."""


class GradesOut(ma.Schema):
    """How many people a branch credited for a month's sessions, by evidence grade; what was reversed is out."""

    branch_id = fields.Integer(required=True)
    counts = fields.Dict(
        keys=fields.String(validate=validate.OneOf(sorted(GRADES))), values=fields.Integer(), required=True
    )
    total = fields.Integer(required=True)
    late = fields.Integer(required=True, metadata={"description": "Of these, entered late: grade C."})
    late_permille = fields.Integer(required=True, metadata={"description": "Their share in thousandths."})


class DeedFilters(ma.Schema):
    """Which deeds to read; dates are the bank's local days, both included."""

    kind = fields.String(load_default=None, validate=validate.OneOf(sorted(Kind), error=N_("请选择种类。")))
    login = fields.Integer(
        load_default=None,
        validate=validate.Range(1, MAX_AMOUNT),
        metadata={"description": "Number of the login that did it."},
    )
    holder = _text(32, metadata={"description": "Number or card of the resident whom it is about."})
    since = fields.Date(load_default=None, validate=_DAYS, error_messages=_DATE)
    until = fields.Date(load_default=None, validate=_DAYS, error_messages=_DATE)


class DeedPage(DeedFilters, BookChoice):
    """The page of deeds' URL."""

    before = fields.Integer(load_default=None, validate=validate.Range(1, MAX_AMOUNT))


class AccountPage(ma.Schema):
    """An account page's URL; at is a time on the bank's clock."""

    unit = fields.String(load_default="points", validate=validate.OneOf(list(UNITS)))
    at = fields.NaiveDateTime(load_default=None, format="iso", validate=_TIMES, error_messages=_MOMENT)
    before = fields.Integer(load_default=None, validate=validate.Range(1, MAX_AMOUNT))


class TrialPage(BookChoice):
    """The trial balance's URL; at is a time on the bank's clock."""

    at = fields.NaiveDateTime(load_default=None, format="iso", validate=_TIMES, error_messages=_MOMENT)


class VerifyPage(BookChoice):
    """The verification's URL; run=1 does it."""

    run = fields.Boolean(load_default=False)


class ExportFile(BookChoice):
    """The URL of a book as a file; since: from the checkpoint before that day on; openings=1 encloses private parts."""

    since = fields.Date(load_default=None, validate=_DAYS, error_messages=_DATE)
    openings = fields.Boolean(load_default=False)


_BOOK = validate.Length(1, 32)


class EntryQuery(EntryFilters):
    """The API's filters of entries of one book."""

    book = fields.String(required=True, validate=_BOOK, metadata={"description": "Code of the book."})


class DeedQuery(DeedFilters):
    """The API's filters of deeds of one book."""

    book = fields.String(required=True, validate=_BOOK, metadata={"description": "Code of the book."})


class DeedOut(ma.Schema):
    """One deed; names and what was written as a reason are not part of it."""

    deed_id = fields.Integer(required=True)
    done_at = fields.AwareDateTime(required=True, format="iso")
    actor = fields.String(required=True, metadata={"description": "role:login"})
    kind = fields.String(required=True, validate=validate.OneOf(sorted(Kind)))
    branch = fields.Integer(required=True, attribute="branch_id", allow_none=True)
    resident_id = fields.Integer(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True, validate=validate.OneOf(sorted(Reason)))
    about = fields.String(required=True, metadata={"description": "Kind and id of what it is about: session:12"})
    people = fields.Integer(required=True, allow_none=True, metadata={"description": "How many a list showed."})
    leaf_hash = fields.String(required=True, allow_none=True, metadata={"description": "Of its leaf, in hex."})


class TrialQuery(ma.Schema):
    """Which trial balance."""

    book = fields.String(required=True, validate=_BOOK, metadata={"description": "Code of the book."})
    at = fields.AwareDateTime(load_default=None, format="iso", validate=_INSTANTS)


class BalanceQuery(ma.Schema):
    """Which balance of an account."""

    unit = fields.String(load_default="points", validate=validate.OneOf(list(UNITS)))
    at = fields.AwareDateTime(load_default=None, format="iso", validate=_INSTANTS)


class LinesQuery(ma.Schema):
    """Which lines of an account."""

    unit = fields.String(load_default="points", validate=validate.OneOf(list(UNITS)))


class BookOut(ma.Schema):
    """A book in reach."""

    code = fields.String(required=True)
    name = fields.String(required=True)
    is_whole = fields.Boolean(required=True, metadata={"description": "False: only entries of some branches."})


class LegOut(ma.Schema):
    """One leg of an entry; n and balance_after are null on summed accounts."""

    account = fields.Integer(required=True)
    unit = fields.Function(
        lambda leg: leg.unit.name.lower(), required=True, metadata={"type": "string", "enum": list(UNITS)}
    )
    amount = fields.Integer(required=True)
    n = fields.Integer(required=True, allow_none=True)
    balance_after = fields.Integer(required=True, allow_none=True)
    expires_on = fields.Date(required=True, allow_none=True)


class EntryOut(ma.Schema):
    """An entry with its legs and the hash of its leaf."""

    book = fields.String(required=True, attribute="book_code")
    entry_id = fields.UUID(required=True)
    seq = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(sorted(KINDS)))
    actor = fields.String(required=True)
    checker = fields.String(required=True, allow_none=True, metadata={"description": "The second person."})
    branch_id = fields.Integer(required=True, allow_none=True, attribute="branch")
    source = fields.String(required=True, allow_none=True, attribute="source_text")
    rule_code = fields.String(required=True, allow_none=True)
    rule_version = fields.Integer(required=True, allow_none=True)
    grade = fields.String(required=True, allow_none=True, validate=validate.OneOf([*sorted(GRADES), None]))
    occurred_on = fields.Date(required=True)
    posted_at = fields.AwareDateTime(required=True, format="iso")
    reverses = fields.UUID(required=True, allow_none=True)
    reversed_by = fields.UUID(required=True, allow_none=True)
    legs = fields.List(fields.Nested(LegOut), required=True)
    leaf = fields.String(required=True, metadata={"description": "The leaf bytes, which are UTF-8 JSON, as stored."})
    leaf_hash = fields.String(required=True)


class TrialRowOut(ma.Schema):
    """What the accounts of a kind got and gave in a unit."""

    kind = fields.String(required=True, validate=validate.OneOf([kind.value for kind in AccountKind]))
    unit = fields.Function(
        lambda row: row.unit.name.lower(), required=True, metadata={"type": "string", "enum": list(UNITS)}
    )
    accounts = fields.Integer(required=True)
    credit = fields.Integer(required=True)
    debit = fields.Integer(required=True)
    balance = fields.Integer(required=True)


class TrialOut(ma.Schema):
    """A trial balance; it closes when the balances of each unit sum to zero."""

    book = fields.String(required=True)
    as_of = fields.AwareDateTime(required=True, format="iso")
    closes = fields.Boolean(required=True)
    rows = fields.List(fields.Nested(TrialRowOut), required=True)


class BalanceOut(ma.Schema):
    """A balance at an instant; n counts the account's lines until then, 0 on summed accounts."""

    account = fields.Integer(required=True)
    unit = fields.String(required=True, validate=validate.OneOf(list(UNITS)))
    balance = fields.Integer(required=True)
    n = fields.Integer(required=True)
    as_of = fields.AwareDateTime(required=True, format="iso")


class LineOut(ma.Schema):
    """A line of an account."""

    entry_id = fields.UUID(required=True)
    seq = fields.Integer(required=True)
    n = fields.Integer(required=True, allow_none=True)
    amount = fields.Integer(required=True)
    balance_after = fields.Integer(required=True, allow_none=True)
    kind = fields.String(required=True, validate=validate.OneOf(sorted(KINDS)))
    posted_at = fields.AwareDateTime(required=True, format="iso")
    occurred_on = fields.Date(required=True)
    actor = fields.String(required=True)
    checker = fields.String(required=True, allow_none=True, metadata={"description": "The second person."})
    grade = fields.String(required=True, allow_none=True, validate=validate.OneOf([*sorted(GRADES), None]))
    reverses = fields.UUID(required=True, allow_none=True)
    reversed_by = fields.UUID(required=True, allow_none=True)
