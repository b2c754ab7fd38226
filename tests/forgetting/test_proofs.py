"""What was proven before a person was forgotten stays proven, and nothing that leaves the bank tells who it was."""

from __future__ import annotations

import zipfile

import pytest

from moralbank import ledger
from moralbank.ledger import Unit
from moralbank.reports import evidence
from moralbank.transparency import Log, queries, tree
from tests._sealing import OFFICES, Sealing
from tests.forgetting.conftest import SECRETS, Bank, spellings
from tests.verifier._run import run

TWO = tuple(OFFICES)[:2]


def tells(content: bytes) -> set[str]:
    return {secret for secret in SECRETS for mark in spellings(secret) if mark in content}


def test_earlier_proofs_verify_and_neither_an_export_nor_the_log_tells_of_her(
    capfd: pytest.CaptureFixture[str], bank: Bank
) -> None:
    sealing, book = Sealing(), bank.resident.book_id
    bank.database.transact(sealing.open)
    bank.database.transact(sealing.seal, *TWO)
    with bank.database.reading() as db:
        lines = ledger.history(db, book, bank.resident.account_id, Unit.POINTS, limit=100)
        size = queries.size(db, book, Log.LEDGER)
        root = queries.root_at(db, book, Log.LEDGER, size)
        proven = {}
        for line in lines:
            index = queries.leaf_index_of_entry(db, book, line.entry_id)
            assert index is not None
            proven[index] = queries.inclusion_proof(db, book, Log.LEDGER, index, size)
    assert proven
    bank.forget()
    bank.database.transact(sealing.seal, *TWO)
    with bank.database.reading() as db:
        for index, proof in proven.items():
            leaf = tree.leaf_hash(queries.leaf_bytes(db, book, Log.LEDGER, index))
            assert tree.verify_inclusion(leaf, index, size, proof, root)
        now = queries.size(db, book, Log.LEDGER)
        later = queries.root_at(db, book, Log.LEDGER, now)
        steps = queries.consistency_proof(db, book, Log.LEDGER, size, now)
        assert now > size
        assert tree.verify_consistency(size, root, now, later, steps)
        [kept] = [one for one in ledger.list_books(db) if one.book_id == book]
    export = bank.var / "after.zip"
    evidence.write(bank.database, kept, evidence.Asked(with_openings=True), export)
    status, told = run(export)
    assert status == 0, told
    with zipfile.ZipFile(export) as archive:
        assert {name: tells(archive.read(name)) for name in archive.namelist() if tells(archive.read(name))} == {}
    printed = capfd.readouterr()
    assert tells((printed.out + printed.err).encode()) == set()
