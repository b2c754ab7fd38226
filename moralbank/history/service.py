"""Posts a history batch by batch. Every line is posted, or moves nothing, or is refused with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import ledger
from moralbank.db import Raced
from moralbank.errors import MoralBankError
from moralbank.history.errors import NotAMerchant
from moralbank.history.mapping import Act, ColumnMapping, HistoryLine, Unread
from moralbank.history.models import history_accounts
from moralbank.ledger import AccountKind, Draft, Leg, Posted, Unit

BATCH = 500
ACTOR = "system"
_KINDS = {"person": AccountKind.RESIDENT, "merchant": AccountKind.MERCHANT}


class Outcome(StrEnum):
    POSTED = "posted"
    #: It was posted when the history came before.
    POSTED_BEFORE = "posted before"
    MOVES_NOTHING = "moves nothing"
    LEFT_OUT = "left out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """What became of a line."""

    line_id: str
    person: str
    outcome: Outcome
    refusal: MoralBankError | None = None
    #: The person's balance after it in the book, and in the file.
    balance_after: int | None = None
    stated_balance: int | None = None


@dataclass(slots=True)
class Summary:
    """A whole history in figures."""

    lines: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    refused: list[LineVerdict] = field(default_factory=list)
    #: Posted lines whose balance in the book is not the one that the file states.
    differing: list[LineVerdict] = field(default_factory=list)

    def add(self, verdicts: Iterable[LineVerdict]) -> None:
        for verdict in verdicts:
            self.lines += 1
            self.outcomes[verdict.outcome] += 1
            if verdict.refusal is not None:
                self.refused.append(verdict)
            stated, after = verdict.stated_balance, verdict.balance_after
            if stated is not None and after is not None and stated != after:
                self.differing.append(verdict)

    @property
    def refused_people(self) -> set[str]:
        return {verdict.person for verdict in self.refused}


def find_or_open_book(db: Connection, code: str, title: str) -> int:
    """Return the book of this code; it is opened when there is none."""
    for book in ledger.list_books(db):
        if book.code == code:
            return book.book_id
    return ledger.open_book(db, code, title)


def post_lines(
    db: Connection, book: int, mapping: ColumnMapping, lines: Sequence[HistoryLine | Unread]
) -> list[LineVerdict]:
    """Post one batch and return a verdict per line, in order.

    Writes: accounts for outside names that are new, entries, and the keys of refusals that were decided.
    """
    read = [line for line in lines if isinstance(line, HistoryLine)]
    accounts = _accounts(db, book, mapping, read)
    issuer = ledger.internal_account(db, book, AccountKind.ISSUER)
    opening = ledger.internal_account(db, book, AccountKind.OPENING)
    verdicts: list[LineVerdict | None] = []
    drafts: list[tuple[int, HistoryLine, Draft]] = []
    for place, line in enumerate(lines):
        verdict = _without_posting(line, mapping)
        verdicts.append(verdict)
        if verdict is None:
            assert isinstance(line, HistoryLine), "a line that can't be read has its verdict"
            drafts.append((place, line, _draft(book, mapping, line, accounts, issuer, opening)))
    answers = ledger.post_many(db, [draft for *_, draft in drafts])
    for (place, line, draft), answer in zip(drafts, answers, strict=True):
        verdicts[place] = _verdict(line, draft, answer)
    return [verdict for verdict in verdicts if verdict is not None]


def _without_posting(line: HistoryLine | Unread, mapping: ColumnMapping) -> LineVerdict | None:
    """Return the verdict on a line that the ledger need not be asked about, else None."""
    if isinstance(line, Unread):
        return LineVerdict(line.line_id, line.person, Outcome.REFUSED, line.refusal)
    if line.act is Act.SKIP:
        return LineVerdict(line.line_id, line.person, Outcome.LEFT_OUT)
    if line.amount == 0:
        return LineVerdict(line.line_id, line.person, Outcome.MOVES_NOTHING)
    if line.act is Act.REDEMPTION and (not line.merchant or line.merchant in mapping.counters):
        refusal = NotAMerchant(merchant=line.merchant or "—")
        return LineVerdict(line.line_id, line.person, Outcome.REFUSED, refusal)
    return None


def _draft(
    book: int,
    mapping: ColumnMapping,
    line: HistoryLine,
    accounts: dict[tuple[str, str], int],
    issuer: int,
    opening: int,
) -> Draft:
    """Return the entry of a line: points come from the issuer and, paid out, go back there."""
    person = accounts["person", line.person]
    if line.act is Act.REDEMPTION:
        giver, taker = person, accounts["merchant", line.merchant]
    elif line.act is Act.PAYOUT:
        giver, taker = person, issuer
    else:
        giver, taker = opening if line.act is Act.OPENING else issuer, person
    private = {"happened_at": line.happened_at.isoformat(), "line": line.line_id}
    return Draft(
        book=book,
        kind=line.act.value,
        legs=(Leg(giver, Unit.POINTS, -line.amount), Leg(taker, Unit.POINTS, line.amount)),
        key=f"history:{mapping.history_id}:{line.line_id}",
        actor=ACTOR,
        source=("history", f"{mapping.history_id}:{line.line_id}"),
        grade="D",
        occurred_on=line.happened_at.date(),
        private=private | ({"merchant": line.merchant} if line.merchant else {}),
    )


def _verdict(line: HistoryLine, draft: Draft, answer: Posted | MoralBankError) -> LineVerdict:
    if isinstance(answer, MoralBankError):
        return LineVerdict(line.line_id, line.person, Outcome.REFUSED, answer)
    after = next(leg.balance_after for leg in answer.legs if leg.balance_after is not None)
    outcome = Outcome.POSTED_BEFORE if answer.replayed else Outcome.POSTED
    return LineVerdict(line.line_id, line.person, outcome, None, after, line.balance)


def _accounts(
    db: Connection, book: int, mapping: ColumnMapping, lines: Iterable[HistoryLine]
) -> dict[tuple[str, str], int]:
    """Return the accounts of everybody named in the lines, opening those that are new. Raises: Raced."""
    wanted = {("person", line.person): None for line in lines}
    wanted |= {
        ("merchant", line.merchant): None for line in lines if line.merchant and line.merchant not in mapping.counters
    }
    found = _known(db, book, list(wanted))
    new = [name for name in wanted if name not in found]
    if not new:
        return found
    opened = ledger.open_accounts(db, book, [_KINDS[kind] for kind, _ in new])
    rows = [
        {"book_id": book, "outside_kind": kind, "outside_name": name, "account_id": account}
        for (kind, name), account in zip(new, opened, strict=True)
    ]
    try:
        db.execute(history_accounts.insert(), rows)
    except sa.exc.IntegrityError:
        raise Raced from None
    return found | dict(zip(new, opened, strict=True))


def _known(db: Connection, book: int, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    columns = history_accounts.c
    query = sa.select(columns.outside_kind, columns.outside_name, columns.account_id).where(
        columns.book_id == book, columns.outside_name.in_([name for _, name in wanted])
    )
    return {(row.outside_kind, row.outside_name): row.account_id for row in db.execute(query)}
