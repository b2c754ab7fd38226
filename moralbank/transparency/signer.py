"""The signer: reads new leaves as stored bytes, grows a tree of its own, and signs only what continues what it signed.

It trusts the database for nothing but bytes. A tree that is smaller, rewritten or forked is refused, and nothing more
of that log is signed until an operator has looked into it. docs/decisions/0010-signer.md says why it is so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import clock, ids, ledger
from moralbank.db import Database, insert_for
from moralbank.transparency import checkpoint, facts, heads, leaves, models, note, queries, tree
from moralbank.transparency.signer_errors import SigningKeyLost
from moralbank.transparency.signer_memory import Memory, Place, Refused, Verdict
from moralbank.transparency.signing_keys import FileKey, KeyFile, NamedKey
from moralbank.transparency.values import Head, Log

#: Between two looks at the heads, and at least between two checkpoints of one log.
LOOK_SECONDS, EVERY_SECONDS = 0.5, 4.0
#: For how long an old key signs beside its successor.
BOTH_SIGN = timedelta(days=30)
#: Between a log's first name and how many times it was begun, in no book's code.
_AGAIN = "~"
_PAGE = 4_096


class _NotSigned(Exception):
    """The tree isn't one to sign; what: see signer_errors.REFUSED."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(slots=True)
class _Seen:
    """What this process knows of a log besides its memory."""

    memory: Memory
    is_published: bool = False
    signed_at: float = -EVERY_SECONDS


class Signer:
    """Signs the heads of all logs of a database, with the keys of a file, by the memory of a directory."""

    def __init__(
        self, database: Database, keys: KeyFile, place: Place, host: str, every: float = EVERY_SECONDS
    ) -> None:
        """host: the bank's public name, with which the origin of a log that was never signed begins."""
        self._database, self._keys, self._place = database, keys, place
        self._host, self._every = host, every
        self._seen: dict[tuple[int, Log], _Seen] = {}
        self._signers: list[FileKey] = []

    def cycle(self) -> list[str]:
        """Sign every head that may be signed now; return in words what was refused for the first time.

        Raises: KeyFileOpen, BadSigningKey, SigningKeyLost, BadSignerRecord.
        """
        with self._database.reading() as db:
            found = heads.list_heads(db)
            codes = {book.book_id: book.code for book in ledger.list_books(db)}
        waiting = [head for head in found if head.size and not self._is_done(head)]
        if waiting:
            self._signers = self._keys.signing(clock.now()) or self._first_key()
        news = []
        for head in waiting:
            if what := self._attend(head, codes[head.book]):
                news.append(f"{codes[head.book]} {head.log.name.lower()}: {what}")
        return news

    def _is_done(self, head: Head) -> bool:
        """Tell whether the head is one that was signed and shown."""
        seen = self._seen.get((head.book, head.log))
        if seen is None or seen.memory.refused or not seen.is_published:
            return False
        return head.size == seen.memory.size and head.root == seen.memory.tree.root()

    def _first_key(self) -> list[FileKey]:
        """Make the first key, unless a log was signed with another, which then is lost."""
        with self._database.reading() as db:
            has_keys = db.execute(sa.select(models.keys.c.book_id).limit(1)).first() is not None
        if has_keys:
            raise SigningKeyLost(place=self._keys.path)
        self._keys.make_first()
        return self._keys.signing(clock.now())

    def _attend(self, head: Head, code: str) -> str | None:
        seen = self._seen.get((head.book, head.log)) or self._recall(head, code)
        if seen.memory.refused:
            self._show(head, seen.memory, seen.memory.refused)
            if not self._is_resolved(head, seen, seen.memory.refused):
                return None
        try:
            self._sign(head, seen)
        except _NotSigned as refused:
            return self._refuse(head, seen, refused.what)
        return None

    def _recall(self, head: Head, code: str) -> _Seen:
        """Take up what is remembered; a log that nothing is remembered of is read from its first leaf."""
        memory = self._place.find(head.book, head.log)
        if memory is None:
            with self._database.reading() as db:
                origin = queries.find_origin(db, head.book, head.log)
            suffix = "/access" if head.log is Log.ACCESS else ""
            memory = Memory(origin or f"{self._host}/log/{code}{suffix}")
        seen = self._seen[head.book, head.log] = _Seen(memory)
        return seen

    def _sign(self, head: Head, seen: _Seen) -> None:
        """Sign the head if it continues what was signed. Raises: _NotSigned."""
        memory = seen.memory
        if head.size < memory.size:
            raise _NotSigned("shrunk")
        if head.size == memory.size:
            if head.root != memory.tree.root():
                raise _NotSigned("rewritten")
        elif time.monotonic() - seen.signed_at >= self._every and self._is_under_name(head):
            grown = self._grow(head, memory)
            if grown.root() != head.root:
                raise _NotSigned("rewritten")
            text = checkpoint.Body(memory.origin, grown.size, grown.root()).encode()
            named = [NamedKey(memory.origin, key) for key in self._signers]
            self._database.transact(self._require_known, head, memory)
            signed = note.sign(text, named).encode()
            seen.memory = replace(memory, size=grown.size, frontier=grown.encode(), note=signed)
            # First remembered, then shown: killed in between, it shows at the next start what it remembers.
            self._place.keep(head.book, head.log, seen.memory)
            seen.is_published, seen.signed_at = False, time.monotonic()
        if not seen.is_published and seen.memory.note:
            self._database.transact(_publish, head, seen.memory)
            seen.is_published = True

    def _is_under_name(self, head: Head) -> bool:
        """Tell whether the head is one for the log's present name, which a log begun anew has from a size on."""
        with self._database.reading() as db:
            origins = queries.list_origins(db, head.book, head.log)
        return not origins or origins[-1][0] < head.size

    def _grow(self, head: Head, memory: Memory) -> tree.Frontier:
        """Return the remembered tree with the leaves up to the head. Raises: _NotSigned."""
        grown = memory.tree
        with self._database.reading() as db:
            last = queries.latest_checkpoint(db, head.book, head.log)
        if last is not None and last.size > head.size:
            raise _NotSigned("shrunk")
        while grown.size < head.size:
            with self._database.reading() as db:
                page = leaves.list_leaves(db, head.book, head.log, grown.size, min(_PAGE, head.size - grown.size))
            if not page:
                raise _NotSigned("unreadable")
            hashes = [tree.leaf_hash(leaf) for _, leaf in page]
            if last is not None and grown.size < last.size <= grown.size + len(hashes):
                # What another run of this signer signed, which this one doesn't remember, binds it too.
                known = last.size - grown.size
                grown.extend(hashes[:known])
                if grown.root() != last.root:
                    raise _NotSigned("forked")
                hashes = hashes[known:]
            grown.extend(hashes)
        return grown

    def _require_known(self, db: Connection, head: Head, memory: Memory) -> None:
        """Note name and keys at the first signature; from then on they must be those.

        Raises: _NotSigned; SigningKeyLost for one who never signed the log and isn't its signer.
        """
        origin = memory.origin
        own = {"book_id": head.book, "log": int(head.log)}
        known_as = queries.find_origin(db, head.book, head.log)
        if known_as is None:
            db.execute(models.origins.insert(), [own | {"from_size": 0, "origin": origin, "set_at": clock.now()}])
        elif known_as != origin:
            raise _NotSigned("other-origin")
        mine = {str(NamedKey(origin, key).key): key.until for key in self._signers}
        known = {
            key.text for key in queries.verifier_keys(db, head.book, head.log) if key.text.startswith(f"{origin}+")
        }
        if known and not known & mine.keys():
            if not memory.size:
                raise SigningKeyLost(place=self._keys.path)
            raise _NotSigned("other-key")
        if not known:
            rows = [own | {"verifier_key": key, "valid_from": clock.now(), "valid_until": mine[key]} for key in mine]
            db.execute(models.keys.insert(), rows)

    def _refuse(self, head: Head, seen: _Seen, what: str) -> str:
        refused = Refused(ids.token(12), what, head.size, ledger.instant(clock.now()))
        seen.memory = replace(seen.memory, refused=refused)
        self._place.keep(head.book, head.log, seen.memory)
        self._show(head, seen.memory, refused)
        return what

    def _show(self, head: Head, memory: Memory, refused: Refused) -> None:
        """Have the refusal stand in the database, also in one that was put in the place of another."""
        row = {
            "token": refused.token,
            "book_id": head.book,
            "log": int(head.log),
            "what": refused.what,
            "signed_size": memory.size,
            "found_size": refused.found_size,
            "refused_at": clock.now(),
        }
        with self._database.reading() as db:
            query = sa.select(models.refusals.c.refusal_id).where(models.refusals.c.token == refused.token)
            if db.execute(query).first() is not None:
                return
        act: Callable[[Connection], object] = lambda db: db.execute(  # noqa: E731
            insert_for(db, models.refusals).values(row).on_conflict_do_nothing()
        )
        self._database.transact(act)

    def _is_resolved(self, head: Head, seen: _Seen, refused: Refused) -> bool:
        """Take an operator's verdict over, and tell whether there was one."""
        verdict = self._place.find_verdict(refused.token)
        if verdict is None:
            return False
        memory = replace(seen.memory, refused=None)
        if verdict.restarts:
            memory = self._database.transact(_restart, head, memory)
        self._database.transact(_resolve, refused.token, verdict)
        seen.memory = memory
        self._place.keep(head.book, head.log, memory)
        self._place.forget_verdict(refused.token)
        return True


def _publish(db: Connection, head: Head, memory: Memory) -> None:
    """Show a signed head. Raises: _NotSigned when another stands at its size."""
    table, root = models.checkpoints, memory.tree.root()
    own = {"book_id": head.book, "log": int(head.log), "size": memory.size}
    there = sa.select(table.c.root).where(*(table.c[name] == value for name, value in own.items()))
    standing = db.execute(there).scalar()
    if standing is None:
        db.execute(table.insert(), [own | {"root": root, "note": memory.note, "signed_at": clock.now()}])
    elif bytes(standing) != root:
        raise _NotSigned("forked")


def _restart(db: Connection, head: Head, memory: Memory) -> Memory:
    """Begin the log anew under another name, since it can't be continued; a leaf says so. Return the new memory."""
    first, _, number = memory.origin.partition(_AGAIN)
    origin = f"{first}{_AGAIN}{int(number or 1) + 1}"
    lost = {"old": memory.origin, "new": origin, "size": memory.size, "root": memory.tree.root().hex()}
    facts.append_fact(db, head.book, head.log, "restart", lost)
    row = {"book_id": head.book, "log": int(head.log), "from_size": head.size, "origin": origin}
    db.execute(models.origins.insert(), [row | {"set_at": clock.now()}])
    return Memory(origin)


def _resolve(db: Connection, token: str, verdict: Verdict) -> None:
    resolved = {"resolved_at": clock.now(), "resolved_by": verdict.by, "reason": verdict.reason}
    db.execute(sa.update(models.refusals).where(models.refusals.c.token == token).values(resolved))
