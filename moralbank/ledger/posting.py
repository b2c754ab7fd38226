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
from functools import lru_cache
from uuid import UUID

from sqlalchemy.engine import Connection

from moralbank import clock, ids
from moralbank.db import racing
from moralbank.errors import Invalid, MoralBankError, Refused
from moralbank.ledger import drafts, errors, expiry, leaf, rows
from moralbank.ledger.looking import BOOK_SHIFT, Looked, look, look_at, looking
from moralbank.ledger.values import (
    MAX_AMOUNT,
    MAX_LEAF_BYTES,
    UNLOOKED,
    Draft,
    Leg,
    Posted,
    PostedLeg,
    Unit,
)
from moralbank.prepared import Asking, ask

Verdict = Posted | MoralBankError


def post(db: Connection, draft: Draft) -> Posted:
    """Post one entry, or return the first answer to its key.

    Writes: the entry, its legs, its key; nothing when it raises.
    Raises (in the order checked): BadDraft, BadAmount, Unbalanced, SecondPersonNeeded, KeyReused, the refusal first
        given to the key, OtherBook, UnknownAccount, DayClosed, EntryExists, UnknownEntry, NotReversible,
        AlreadyReversed, SourcePosted, InsufficientBalance.
    """
    [verdict] = post_many(db, [draft])
    if isinstance(verdict, MoralBankError):
        raise verdict
    return verdict


def post_many(db: Connection, items: Sequence[Draft]) -> list[Verdict]:
    """Post what can be posted and return a verdict for each item, in the order given.

    Writes: the entries; for a refusal that was decided (Refused), its key, so that it stays the answer.
    Raises: Raced when another transaction took a key, a source or a reversal meanwhile.
    """
    verdicts, writes = decide_many(db, items, ask(db, *looking(db, items)))
    with racing():
        ask(db, *writes)
    return verdicts


def decide_many(
    db: Connection, items: Sequence[Draft], looked: Sequence[Looked]
) -> tuple[list[Verdict], list[Asking[None]]]:
    """Decide as post_many does, by what was looked at for these drafts, or for more; return also what writes it.

    The caller asks that in the same transaction, within `racing`, before anything else is decided in the book. What
    has expired on the accounts that give is posted here.
    """
    verdicts: list[Verdict | None] = [None] * len(items)
    by_book: dict[int, list[int]] = {}
    for place, draft in enumerate(items):
        try:
            drafts.check(draft)
            by_book.setdefault(draft.book, []).append(place)
        except Invalid as refusal:
            verdicts[place] = refusal
    seen = {one.book: one.seen for one in looked}
    writes: list[Asking[None]] = []
    for book in sorted(by_book):
        places = by_book[book]
        decided, written = _decide_in(db, book, [items[place] for place in places], seen[book])
        for place, verdict in zip(places, decided, strict=True):
            verdicts[place] = verdict
        if written.keys:
            writes.append(rows.of(db).appending(book, written))
    return [verdict for verdict in verdicts if verdict is not None], writes


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
    checker: str | None = None,
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
        checker=checker,
    )
    return post(db, mirror)


@dataclass(slots=True)
class _Batch:
    """What a batch knows of the book, locked, and what it has decided so far."""

    book: int
    now: datetime
    seen: rows.Seen
    #: For entries that bring none; the next is the last.
    fresh_ids: list[UUID]
    originals: dict[UUID, bytes]
    reversed_ones: set[UUID]
    writes: rows.Writes = field(default_factory=rows.Writes)


def _decide_in(db: Connection, book: int, items: list[Draft], seen: rows.Seen) -> tuple[list[Verdict], rows.Writes]:
    """Decide for one book; what has expired on the accounts that give is posted first, so that nobody spends it."""
    spending = {leg.account for draft in items for leg in draft.legs if leg.amount < 0 and leg.unit is Unit.POINTS}
    today = clock.today()
    due = [account for account in sorted(spending) if expiry.is_due(seen, account, today)]
    if due:
        _expire(db, book, due, seen, today)
        seen = look(db, book, items)
    return _decide_all(db, book, items, seen)


def expire(db: Connection, book: int, accounts: Sequence[int], today: date) -> int:
    """Post what has expired on these accounts, with a word on what will; return on how many it did."""
    seen = look_at(db, book, sorted(accounts))
    return _expire(db, book, accounts, seen, today)


def hold(db: Connection, book: int, accounts: Sequence[int]) -> rows.Seen:
    """Lock accounts until the transaction ends, and return what they hold once what has expired is gone."""
    seen, today = look_at(db, book, accounts), clock.today()
    due = [account for account in accounts if expiry.is_due(seen, account, today)]
    if due:
        _expire(db, book, due, seen, today)
        seen = look_at(db, book, accounts)
    return seen


def _expire(db: Connection, book: int, accounts: Sequence[int], seen: rows.Seen, today: date) -> int:
    """The accounts are locked, so their lots stay as they are read."""
    plans = expiry.plan(db, book, accounts, today)
    items = expiry.drafts(db, book, plans, seen)
    verdicts, writes = _decide_all(db, book, items, look(db, book, items)) if items else ([], rows.Writes())
    for verdict in verdicts:
        if isinstance(verdict, errors.DayClosed):
            return 0  # Nothing is posted any more today, so nothing is spent either.
        if isinstance(verdict, MoralBankError):
            raise verdict
    with racing():
        ask(db, rows.of(db).appending(book, writes))
    expiry.keep(db, book, plans, seen)
    return len(verdicts)


def _decide_all(
    db: Connection, book: int, items: Sequence[Draft], seen: rows.Seen
) -> tuple[list[Verdict], rows.Writes]:
    batch = _batch(db, book, items, seen)
    salts = _salts(db, book, items, seen)
    given: dict[tuple[str, str], tuple[bytes, str | None, Verdict]] = {}
    verdicts: list[Verdict] = []
    for draft in items:
        private = drafts.private_of(draft)
        name, asked = (draft.actor, draft.key), drafts.fingerprint(draft)
        if name in seen.answered:
            first = seen.answered[name]
            verdict = _again(first) if _is_same(first, draft, private, salts.get(name)) else errors.KeyReused()
        elif name in given:
            verdict = _same(given[name], asked, private)
        else:
            verdict = _decide(batch, draft, private, asked)
            given[name] = asked, private, verdict
        verdicts.append(verdict)
    return verdicts, batch.writes


def _batch(db: Connection, book: int, items: Sequence[Draft], seen: rows.Seen) -> _Batch:
    seen.seqs.reverse()  # The next is the last.
    new = [draft for draft in items if (draft.actor, draft.key) not in seen.answered]
    reversing = {draft.reverses for draft in new if draft.reverses}
    return _Batch(
        book=book,
        now=clock.now(),
        seen=seen,
        fresh_ids=ids.new_ids(sum(draft.entry_id is None for draft in new))[::-1],
        originals=rows.leaves(db, book, reversing) if reversing else {},
        reversed_ones=rows.reversed_ones(db, book, reversing) if reversing else set(),
    )


def _salts(db: Connection, book: int, items: Sequence[Draft], seen: rows.Seen) -> dict[tuple[str, str], bytes]:
    """Return the salts of the private parts that repeated keys were answered with, as far as they are there."""
    again: dict[tuple[str, str], UUID] = {}
    for draft in items:
        name = (draft.actor, draft.key)
        first = seen.answered.get(name) if draft.private else None
        if first is not None and first.leaf is not None:
            again[name] = UUID(hex=json.loads(first.leaf)["id"])
    found = rows.salts(db, book, list(again.values())) if again else {}
    return {name: found[entry_id] for name, entry_id in again.items() if entry_id in found}


#: Kept in place of a fingerprint of which the private part can't be told any more: whatever is asked, it was the same.
_ANY = bytes(32)


def _is_same(first: rows.Answered, draft: Draft, private: str | None, salt: bytes | None) -> bool:
    """Tell whether a key asks again for what it was first answered for.

    Of a refused draft nothing private was kept, and of a forgotten person nothing private is: then it is not compared.
    """
    if first.fingerprint == _ANY:
        return True
    if first.fingerprint != drafts.fingerprint(draft):
        return private is not None and first.fingerprint == drafts.fingerprint(draft, private)
    if first.leaf is None:
        return True
    committed = json.loads(first.leaf).get("m")
    if private is None or committed is None:
        return private is committed
    return salt is None or leaf.commitment(salt, private) == committed


def _again(first: rows.Answered) -> Verdict:
    if first.leaf is not None:
        return leaf.posted_from(first.leaf)
    return _REFUSALS[first.refusal or ""]()


def _same(given: tuple[bytes, str | None, Verdict], asked: bytes, private: str | None) -> Verdict:
    *first, verdict = given
    if first != [asked, private]:
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


def _decide(batch: _Batch, draft: Draft, private: str | None, asked: bytes) -> Verdict:
    try:
        held = _held(batch, draft)
        posted_at = _check(batch, draft, held)
        posted = _enter(batch, draft, held, private, posted_at)
    except Refused as refusal:
        batch.writes.keys.append((draft.actor, draft.key, asked, None, refusal.code))
        return refusal
    except MoralBankError as refusal:
        return refusal
    batch.writes.keys.append((draft.actor, draft.key, asked, posted.entry_id, None))
    return posted


def _held(batch: _Batch, draft: Draft) -> list[rows.Held | None]:
    """Return what each leg's account holds, None where it is summed; refuse accounts that the book doesn't have."""
    held = batch.seen.held
    for leg in draft.legs:
        if leg.account >> BOOK_SHIFT != batch.book:
            raise errors.OtherBook(account=leg.account)
        if leg.account not in batch.seen.known:
            raise errors.UnknownAccount(account=leg.account)
    return [held.get((leg.account, leg.unit)) for leg in draft.legs]


def _check(batch: _Batch, draft: Draft, held: list[rows.Held | None]) -> datetime:
    """Refuse what the book can't take as it stands; return the instant of the entry."""
    seen, posted_at = batch.seen, batch.now
    # A clock that was set back must not let an account's lines run backwards in time.
    for one in held:
        if one is not None and one.last_at is not None and one.last_at > posted_at:
            posted_at = one.last_at
    day = _day_of(posted_at)
    if seen.closed_through is not None and day <= seen.closed_through:
        raise errors.DayClosed(day=seen.closed_through)
    if draft.occurred_on is not None and draft.occurred_on > day:
        raise errors.BadDraft(field="occurred_on")
    if draft.entry_id is not None and draft.entry_id in seen.taken_ids:
        raise errors.EntryExists()
    if draft.reverses is not None:
        _check_reversal(batch, draft)
    if draft.source is not None and (draft.kind, *draft.source) in seen.posted_sources:
        raise errors.SourcePosted()
    for leg, one in zip(draft.legs, held, strict=True):
        if one is None:
            continue
        after = one.balance + leg.amount
        if after < 0:
            raise errors.InsufficientBalance()
        if after > MAX_AMOUNT:
            raise errors.BadAmount()
    return posted_at


@lru_cache(maxsize=64)  # A batch has one instant.
def _day_of(instant: datetime) -> date:
    return clock.local(instant).date()


def _check_reversal(batch: _Batch, draft: Draft) -> None:
    assert draft.reverses is not None
    stored = batch.originals.get(draft.reverses)
    if stored is None:
        raise errors.UnknownEntry()
    fields = json.loads(stored)
    if "rev" in fields or not _is_mirror(batch, draft, leaf.legs_of(fields)):
        raise errors.NotReversible()
    if draft.reverses in batch.reversed_ones:
        raise errors.AlreadyReversed()


def _is_mirror(batch: _Batch, draft: Draft, original: tuple[PostedLeg, ...]) -> bool:
    """Tell whether the legs are those of the original turned round.

    A reversal takes less only where it takes all that the account still holds; what is missing is offset later.
    """
    mirror = {(leg.account, leg.unit): -leg.amount for leg in original}
    legs = {(leg.account, leg.unit): leg.amount for leg in draft.legs}
    if legs == mirror or draft.kind != "reversal":
        return legs == mirror
    for place, whole in mirror.items():
        held, amount = batch.seen.held.get(place), legs.pop(place, 0)
        least = most = whole
        if held is None:
            least, most = min(0, whole), max(0, whole)
        elif whole < 0:
            least = most = max(whole, -held.balance)
        if not least <= amount <= most:
            return False
    return not legs


def _enter(
    batch: _Batch, draft: Draft, held: list[rows.Held | None], private: str | None, posted_at: datetime
) -> Posted:
    """Make the entry in memory and move the held balances on."""
    legs = tuple(
        [
            PostedLeg(leg.account, leg.unit, leg.amount, None, None, leg.expires_on)
            if one is None
            else PostedLeg(leg.account, leg.unit, leg.amount, one.n + 1, one.balance + leg.amount, leg.expires_on)
            for leg, one in zip(draft.legs, held, strict=True)
        ]
    )
    entry_id, seq = draft.entry_id or batch.fresh_ids.pop(), batch.seen.seqs[-1]
    spelled_id, occurred_on = entry_id.hex, draft.occurred_on or _day_of(posted_at)
    commits_to = None
    if private is not None:
        salt = secrets.token_bytes(32)
        commits_to = leaf.commitment(salt, private)
    stored = leaf.encode(draft, spelled_id, seq, posted_at, occurred_on, legs, commits_to)
    if len(stored) > MAX_LEAF_BYTES:
        raise errors.BadDraft(field="legs")
    batch.seen.seqs.pop()
    _move(batch, draft, held, posted_at)
    entry = rows.NewEntry(
        entry_id, spelled_id, seq, posted_at, draft.kind, draft.actor, draft.branch, draft.source or (None, None),
        draft.rule or (None, None), draft.grade, occurred_on, draft.reverses, draft.checker, stored, legs,
    )  # fmt: skip
    batch.writes.entries.append(entry)
    if private is not None:
        batch.writes.private_parts.append((entry_id, salt, private))
    return Posted(entry_id, seq, posted_at, legs, leaf.leaf_hash(stored))


def _move(batch: _Batch, draft: Draft, held: list[rows.Held | None], posted_at: datetime) -> None:
    for leg, one in zip(draft.legs, held, strict=True):
        if one is not None:
            one.n, one.balance, one.last_at = one.n + 1, one.balance + leg.amount, posted_at
            if leg.expires_on is not None:
                one.next_expiry_on = min(one.next_expiry_on, leg.expires_on)
            elif leg.amount > 0 and draft.reverses is not None:
                one.next_expiry_on = UNLOOKED  # What is given back expires when it would have.
            batch.writes.moved[leg.account, leg.unit] = one
    if draft.source is not None:
        batch.seen.posted_sources.add((draft.kind, *draft.source))
    if draft.reverses is not None:
        batch.reversed_ones.add(draft.reverses)
    if draft.entry_id is not None:
        batch.seen.taken_ids.add(draft.entry_id)
