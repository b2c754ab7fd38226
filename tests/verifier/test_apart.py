"""The verifier's own parts against the bank's and against other people's: two makers must come to the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from moralbank import ledger
from moralbank.transparency import board, tree
from tests.verifier._run import verifier

ORDER = verifier.ORDER


def both(key: bytes, message: bytes, signature: bytes) -> tuple[bool, bool]:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        theirs = True
    except (InvalidSignature, ValueError):
        theirs = False
    return theirs, verifier.PublicKey(key).verify(message, signature)


def test_signatures_are_judged_as_openssl_judges_them() -> None:
    chance = random.Random(8032)
    for number in range(40):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), chance.randbytes(number)
        signature = key.sign(message)
        assert both(public, message, signature) == (True, True)
        place = chance.randrange(64)
        bent = signature[:place] + bytes([signature[place] ^ 1 << chance.randrange(8)]) + signature[place + 1 :]
        assert both(public, message, bent) == (False, False)
        assert both(public, message + b"x", signature) == (False, False)
        # The same signature with the order added to S is another spelling of it, and malleable ones are refused.
        larger = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
        assert both(public, message, larger) == (False, False)
        assert both(public, message, signature[:63]) == (False, False)


def test_a_key_of_small_order_or_with_two_spellings_is_none() -> None:
    neutral = (1).to_bytes(32, "little")
    twice = (verifier.P + 1).to_bytes(32, "little")
    minus_zero = (1 | 1 << 255).to_bytes(32, "little")
    of_order_eight = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    for data in (neutral, twice, minus_zero, of_order_eight, bytes(32)):
        try:
            verifier.PublicKey(data)
        except ValueError:
            continue
        raise AssertionError(data.hex())


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_boards_are_spelled_and_read_alike(root: bytes) -> None:
    assert verifier.spell(root) == board.spell(root)
    assert verifier.read_board(board.spell(root)) == root
    assert verifier.read_board(" ".join(board.groups(root.hex()))) == root


def test_the_table_of_characters_is_the_same() -> None:
    assert board.table() == verifier.CHARACTERS


@given(st.integers(1, 300), st.data())
@settings(max_examples=40)
def test_trees_and_proofs_agree(size: int, data: st.DataObject) -> None:
    hashes = [tree.leaf_hash(bytes([place % 256, place // 256])) for place in range(size)]
    mine, theirs = verifier.Frontier(), tree.Frontier()
    for hashed in hashes:
        mine.append(hashed)
        theirs.append(hashed)
    assert (mine.root(), mine.hashes) == (theirs.root(), theirs.hashes)
    index = data.draw(st.integers(0, size - 1))
    node = lambda level, place: tree.perfect_root(hashes[place << level : (place + 1) << level])  # noqa: E731
    path = tree.inclusion_proof(node, index, size)
    assert verifier.is_included(hashes[index], index, size, path, mine.root())
    other = data.draw(st.integers(0, size - 1).filter(lambda place: place != index or size == 1))
    assert size == 1 or not verifier.is_included(hashes[other], index, size, path, mine.root())


@dataclass(frozen=True)
class Movement:
    entry_id: UUID
    seq: int
    amount: int
    expires_on: date | None
    reverses: UUID | None


@st.composite
def histories(draw: st.DrawFn) -> list[Movement]:
    """Credits that expire or don't, debits, and reversals of either, as an account could have them."""
    lines: list[Movement] = []
    balance, reversible = 0, {}
    for seq in range(1, draw(st.integers(1, 25)) + 1):
        entry, kind = UUID(int=seq), draw(st.integers(0, 3))
        amount, until, reverses = 0, None, None
        if kind == 0 and balance:
            amount = -draw(st.integers(1, balance))
        elif kind == 1 and reversible:
            reverses = draw(st.sampled_from(sorted(reversible)))
            if balance - reversible[reverses] >= 0:
                amount = -reversible.pop(reverses)
            else:
                reverses = None
        if not amount:
            amount = draw(st.integers(1, 9))
            until = draw(st.sampled_from([None, *(date(2026, 3, 1) + timedelta(days=day) for day in range(4))]))
        if reverses is None:
            reversible[entry] = amount
        lines.append(Movement(entry, seq, amount, until, reverses))
        balance += amount
    return lines


@given(histories())
@settings(max_examples=300)
def test_lots_are_what_the_ledger_takes_them_for(lines: list[Movement]) -> None:
    later = {line.reverses for line in lines if line.reverses}
    mine = verifier.Lots()
    for number, line in enumerate(lines, 1):
        until = line.expires_on.isoformat() if line.expires_on else None
        mine.move(line.entry_id, line.seq, line.amount, until, line.reverses, line.entry_id in later)
        theirs = ledger.lots(lines[:number])
        assert [(until, rest) for until, _, rest in mine.left] == [
            (lot.expires_on.isoformat() if lot.expires_on else verifier.NEVER, lot.rest) for lot in theirs
        ]
        assert [seq for _, seq, _ in mine.left] == [lot.seq for lot in theirs]
    for day in range(5):
        when = date(2026, 3, 1) + timedelta(days=day)
        assert mine.due(when.isoformat()) == ledger.expiring(ledger.lots(lines), when)
