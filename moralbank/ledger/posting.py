"""Posting: lock, decide in memory, append as a set. Everything is a batch, and one is a batch of one.

The items of a batch are decided one after the other as if each had come alone: a refusal never touches its
neighbour, and the entries and leaf bytes are the same however the items are cut into batches.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.errors import Invalid, MoralBankError, Refused
from moralbank.ledger import drafts, errors, leaf, rows
from moralbank.ledger.values import (
    MAX_AMOUNT,
    MAX_LEAF_BYTES,
    AccountKind,
    Draft,
    Leg,
    Posted,
    PostedLeg,
    Unit,
)

Verdict = Posted | MoralBankError

#: An account's number carries its book, so that one of another book is told at sight.
BOOK_SHIFT = 32


def post(db: Connection, draft: Draft) -> Posted:
    """Post one entry, or return the first answer to its key.

    Writes: the entry, its legs, its key; nothing when it raises.
    Raises (in the order checked): BadDraft, BadAmount, Unbalanced, KeyReused, the refusal first given to the key,
        OtherBook, UnknownAccount, DayClosed, EntryExists, UnknownEntry, NotReversible, AlreadyReversed,
        SourcePosted, InsufficientBalance.
    """
    [verdict] = post_many(db, [draft])
    if isinstance(verdict, MoralBankError):
        raise verdict
    return verdict


def post_many(db: Connection, items: Sequence[Draft]) -> list[Verdict]:
    """Post what can be posted and return a verdict for each item, in the order given.

    Writes: the entries; for a refusal that was decided (Refused), its key, so that it stays the answer.
    """
    verdicts: list[Verdict | None] = [None] * len(items)
    by_book: dict[int, list[int]] = {}
    for place, draft in enumerate(items):
        try:
            drafts.check(draft)
            by_book.setdefault(draft.book, []).append(place)
        except Invalid as refusal:
            verdicts[place] = refusal
    for book in sorted(by_book):
        places = by_book[book]
        for place, verdict in zip(places, _post_in(db, book, [items[place] for place in places]), strict=True):
            verdicts[place] = verdict
    return [verdict for verdict in verdicts if verdict is not None]


def reverse(
    db: Connection,
    book: int,
    entry_id: UUID,
    *,
    key: str,
    actor: str,
    kind: str = "reversal",
    branch: int | None = None,
    private: dict[str, str] | None = None,
    occurred_on: date | None = None,
) -> Posted:
    """Post the mirror of an entry, which stays in the book beside it.

    Raises (in the order checked): UnknownEntry, then as post does.
    """
    stored = rows.leaves(db, book, [entry_id]).get(entry_id)
    if stored is None:
        raise errors.UnknownEntry()
    fields = json.loads(stored)
    mirror = Draft(
        book=book,
        kind=kind,
        legs=tuple(Leg(leg.account, leg.unit, -leg.amount) for leg in leaf.legs_of(fields)),
        key=key,
        actor=actor,
        branch=fields.get("br") if branch is None else branch,
        occurred_on=occurred_on,
        reverses=entry_id,
        private=private or {},
    )
    return post(db, mirror)


@dataclass(slots=True)
class _Batch:
    """What a batch knows of the book, locked, and what it has decided so far."""

    book: int
    now: datetime
    held: dict[tuple[int, Unit], rows.Held]
    kinds: dict[int, AccountKind]
    closed_through: date | None
    originals: dict[UUID, bytes]
    reversed_ones: set[UUID]
    posted_sources: set[tuple[str, str, str]]
    taken_ids: set[UUID]
    seqs: list[int]
    postings: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    private_parts: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    moved: set[tuple[int, Unit]] = field(default_factory=set)


def _post_in(db: Connection, book: int, items: list[Draft]) -> list[Verdict]:
    accounts = {leg.account for draft in items for leg in draft.legs if leg.account >> BOOK_SHIFT == book}
    held = rows.lock_balances(db, book, accounts)
    first_answers = rows.answered(db, book, [(draft.actor, draft.key) for draft in items])
    new = [draft for draft in items if (draft.actor, draft.key) not in first_answers]
    batch = _look_around(db, book, new, accounts, held) if new else None
    given: dict[tuple[str, str], tuple[bytes, Verdict]] = {}
    verdicts: list[Verdict] = []
    for draft in items:
        name, asked = (draft.actor, draft.key), drafts.fingerprint(draft)
        if name in first_answers:
            verdict = _again(first_answers[name], asked)
        elif name in given:
            verdict = _same(given[name], asked)
        else:
            assert batch is not None
            verdict = _decide(batch, draft, asked)
            given[name] = asked, verdict
        verdicts.append(verdict)
    if batch is not None:
        _write(db, batch)
    return verdicts


def _look_around(
    db: Connection, book: int, new: list[Draft], accounts: set[int], held: dict[tuple[int, Unit], rows.Held]
) -> _Batch:
    reversing = {draft.reverses for draft in new if draft.reverses}
    sources = [(draft.kind, *draft.source) for draft in new if draft.source]
    brought = {draft.entry_id for draft in new if draft.entry_id}
    return _Batch(
        book=book,
        now=clock.now(),
        held=held,
        kinds=rows.kinds(db, book, accounts),
        closed_through=rows.closed_through(db, book),
        originals=rows.leaves(db, book, reversing) if reversing else {},
        reversed_ones=rows.reversed_ones(db, book, reversing) if reversing else set(),
        posted_sources=rows.posted_sources(db, book, sources) if sources else set(),
        taken_ids=set(rows.leaves(db, book, brought)) if brought else set(),
        seqs=rows.draw_seqs(db, book, len(new))[::-1],
    )


def _again(first: rows.Answered, asked: bytes) -> Verdict:
    if first.fingerprint != asked:
        return errors.KeyReused()
    if first.leaf is not None:
        return leaf.posted_from(first.leaf)
    return _REFUSALS[first.refusal or ""]()


def _same(given: tuple[bytes, Verdict], asked: bytes) -> Verdict:
    first_asked, verdict = given
    if first_asked != asked:
        return errors.KeyReused()
    return replace(verdict, replayed=True) if isinstance(verdict, Posted) else verdict


_REFUSALS: dict[str, type[Refused]] = {
    refusal.code: refusal
    for refusal in (
        errors.SourcePosted,
        errors.AlreadyReversed,
        errors.NotReversible,
        errors.InsufficientBalance,
    )
}


def _decide(batch: _Batch, draft: Draft, asked: bytes) -> Verdict:
    key = {"book_id": batch.book, "actor": draft.actor, "key": draft.key, "fingerprint": asked}
    try:
        posted_at = _check(batch, draft)
        posted = _enter(batch, draft, posted_at)
    except Refused as refusal:
        batch.keys.append(key | {"entry_id": None, "refusal": refusal.code})
        return refusal
    except MoralBankError as refusal:
        return refusal
    batch.keys.append(key | {"entry_id": posted.entry_id, "refusal": None})
    return posted


def _check(batch: _Batch, draft: Draft) -> datetime:
    """Refuse what the book can't take as it stands; return the instant of the entry."""
    for leg in draft.legs:
        if leg.account >> BOOK_SHIFT != batch.book:
            raise errors.OtherBook(account=leg.account)
        if leg.account not in batch.kinds:
            raise errors.UnknownAccount(account=leg.account)
    guarded = [leg for leg in draft.legs if (leg.account, leg.unit) in batch.held]
    # A clock that was set back must not let an account's lines run backwards in time.
    before = (batch.held[leg.account, leg.unit].last_at for leg in guarded)
    posted_at = max([batch.now, *(at for at in before if at is not None)])
    day = clock.local(posted_at).date()
    if batch.closed_through is not None and day <= batch.closed_through:
        raise errors.DayClosed(day=batch.closed_through)
    if draft.occurred_on is not None and draft.occurred_on > day:
        raise errors.BadDraft(field="occurred_on")
    if draft.entry_id in batch.taken_ids:
        raise errors.EntryExists()
    if draft.reverses is not None:
        _check_reversal(batch, draft)
    if draft.source is not None and (draft.kind, *draft.source) in batch.posted_sources:
        raise errors.SourcePosted()
    for leg in guarded:
        after = batch.held[leg.account, leg.unit].balance + leg.amount
        if after < 0:
            raise errors.InsufficientBalance()
        if after > MAX_AMOUNT:
            raise errors.BadAmount()
    return posted_at


def _check_reversal(batch: _Batch, draft: Draft) -> None:
    assert draft.reverses is not None
    stored = batch.originals.get(draft.reverses)
    if stored is None:
        raise errors.UnknownEntry()
    fields = json.loads(stored)
    mirror = {(leg.account, leg.unit, -leg.amount) for leg in leaf.legs_of(fields)}
    if "rev" in fields or mirror != {(leg.account, leg.unit, leg.amount) for leg in draft.legs}:
        raise errors.NotReversible()
    if draft.reverses in batch.reversed_ones:
        raise errors.AlreadyReversed()


def _enter(batch: _Batch, draft: Draft, posted_at: datetime) -> Posted:
    """Make the entry in memory and move the held balances on."""
    legs = tuple(_posted_leg(batch, leg) for leg in draft.legs)
    entry_id, seq = draft.entry_id or ids.new_id(), batch.seqs[-1]
    occurred_on = draft.occurred_on or clock.local(posted_at).date()
    private = leaf.private_text(draft.private) if draft.private else None
    salt = secrets.token_bytes(32)
    commits_to = leaf.commitment(salt, private) if private is not None else None
    stored = leaf.encode(draft, entry_id, seq, posted_at, occurred_on, legs, commits_to)
    if len(stored) > MAX_LEAF_BYTES:
        raise errors.BadDraft(field="legs")
    batch.seqs.pop()
    _move(batch, draft, legs, posted_at)
    common = {"book_id": batch.book, "entry_id": entry_id, "seq": seq, "posted_at": posted_at}
    batch.postings += [common | _posting(place, leg) for place, leg in enumerate(legs)]
    batch.entries.append(common | _entry(draft, occurred_on, stored))
    if private is not None:
        part = {"book_id": batch.book, "entry_id": entry_id, "salt": salt, "content": private}
        batch.private_parts.append(part)
    return Posted(entry_id, seq, posted_at, legs, leaf.leaf_hash(stored))


def _posted_leg(batch: _Batch, leg: Leg) -> PostedLeg:
    held = batch.held.get((leg.account, leg.unit))
    if held is None:
        return PostedLeg(leg.account, leg.unit, leg.amount, None, None, leg.expires_on)
    return PostedLeg(leg.account, leg.unit, leg.amount, held.n + 1, held.balance + leg.amount, leg.expires_on)


def _move(batch: _Batch, draft: Draft, legs: tuple[PostedLeg, ...], posted_at: datetime) -> None:
    for leg in legs:
        held = batch.held.get((leg.account, leg.unit))
        if held is not None and leg.n is not None and leg.balance_after is not None:
            held.n, held.balance, held.last_at = leg.n, leg.balance_after, posted_at
            batch.moved.add((leg.account, leg.unit))
    if draft.source is not None:
        batch.posted_sources.add((draft.kind, *draft.source))
    if draft.reverses is not None:
        batch.reversed_ones.add(draft.reverses)
    if draft.entry_id is not None:
        batch.taken_ids.add(draft.entry_id)


def _posting(place: int, leg: PostedLeg) -> dict[str, Any]:
    return {
        "leg": place,
        "account_id": leg.account,
        "unit": int(leg.unit),
        "amount": leg.amount,
        "n": leg.n,
        "balance_after": leg.balance_after,
        "expires_on": leg.expires_on,
    }


def _entry(draft: Draft, occurred_on: date, stored: bytes) -> dict[str, Any]:
    source_kind, source_id = draft.source or (None, None)
    rule_code, rule_version = draft.rule or (None, None)
    return {
        "kind": draft.kind,
        "actor": draft.actor,
        "branch_id": draft.branch,
        "source_kind": source_kind,
        "source_id": source_id,
        "rule_code": rule_code,
        "rule_version": rule_version,
        "grade": draft.grade,
        "occurred_on": occurred_on,
        "reverses": draft.reverses,
        "leaf_bytes": stored,
    }


def _write(db: Connection, batch: _Batch) -> None:
    moved = [
        {
            "b_book": batch.book,
            "b_account": account,
            "b_unit": int(unit),
            "b_n": batch.held[account, unit].n,
            "b_balance": batch.held[account, unit].balance,
            "b_last_at": batch.held[account, unit].last_at,
        }
        for account, unit in sorted(batch.moved)
    ]
    rows.append(db, batch.postings, batch.entries, batch.private_parts, batch.keys, moved)
