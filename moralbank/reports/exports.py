"""Entries as rows of a file, one row per leg, bounded."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.db import Database
from moralbank.ledger import Entry, EntryFilter, Unit
from moralbank.reports.errors import ExportTooLarge
from moralbank.reports.queries import Holder, Reach, walk_entries
from moralbank.statements.values import ACCOUNT_WORDS, KIND_WORDS, UNIT_WORDS, about, place
from moralbank.web.i18n import gettext as _
from moralbank.web.sheets import Cell

#: A CSV file is streamed, a workbook is written first and holds about a million rows.
CSV_ENTRIES_MAX = 500_000
XLSX_ENTRIES_MAX = 50_000


def check_size(db: Connection, book: int, which: EntryFilter, limit: int) -> None:
    """Refuse an export of more entries than a file may have. Raises: ExportTooLarge."""
    entries = ledger.sum_entries(db, book, which).entries
    if entries > limit:
        raise ExportTooLarge(entries=f"{entries:,}", limit=f"{limit:,}")


def rows(database: Database, reach: Reach, which: EntryFilter) -> Iterator[list[Cell]]:
    """Yield a heading and a row for each leg of each matching entry, out of one snapshot."""
    yield [
        _("账簿"), _("序号"), _("分录号"), _("种类"), _("记账时间"), _("发生日期"), _("网点"), _("账户"), _("户名"),
        _("编号"), _("单位"), _("数目"), _("行号"), _("余额"), _("到期"), _("事由"), _("地点"), _("规则"),
        _("规则版本"), _("证据等级"), _("经办"), _("复核"), _("来源"), _("冲正"), _("被冲正"), _("叶子哈希"),
    ]  # fmt: skip
    codes = {branch.branch_id: branch.code for branch in reach.branches}
    with database.reading() as db:
        for entry, holders in walk_entries(db, reach.book.book_id, which):
            yield from _legs(reach.book.code, codes.get(entry.branch or 0), entry, holders)


def _legs(book: str, branch: str | None, entry: Entry, holders: dict[int, Holder]) -> Iterator[list[Cell]]:
    rule_code, rule_version = entry.rule or (None, None)
    leaf_hash = ledger.leaf_hash(entry.leaf_bytes)
    for leg in entry.legs:
        holder = holders[leg.account]
        yield [
            book, entry.seq, str(entry.entry_id), _(KIND_WORDS[entry.kind]), entry.posted_at, entry.occurred_on, branch,
            str(leg.account), holder.name or _(ACCOUNT_WORDS[holder.kind]), holder.number,
            _(UNIT_WORDS[Unit(leg.unit)]), leg.amount, leg.n, leg.balance_after,
            leg.expires_on, about(entry.private), place(entry.private), rule_code,
            rule_version, entry.grade, entry.actor, entry.checker, ":".join(entry.source) if entry.source else None,
            str(entry.reverses) if entry.reverses else None, str(entry.reversed_by) if entry.reversed_by else None,
            leaf_hash,
        ]  # fmt: skip
