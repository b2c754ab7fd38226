"""The register of witnesses: nobody speaks with two voices, and the policy is never out of reach."""

from __future__ import annotations

import json
import threading

import pytest

from moralbank.db import Database
from moralbank.errors import Invalid
from moralbank.logbook import queries, service
from moralbank.logbook.errors import NothingSigned, PolicyNeedsWitness, UnknownWitness, WitnessKnown
from moralbank.logbook.queries import Witness
from moralbank.transparency import Log, checkpoint, cosignature, note
from moralbank.transparency import queries as logs
from moralbank.transparency.errors import BadNote, BadPolicy, WrongSignature
from tests.logbook._signed import TITLES, WITNESSES, SignedBook

ADMIN = "admin:1"


def register(signed: SignedBook, count: int = 3) -> list[Witness]:
    """Register the first so many witnesses, who sign files only."""
    return [
        signed.database.transact(service.add_witness, signed.book, str(key.key), title, None, actor=ADMIN)
        for key, title in list(zip(WITNESSES, TITLES, strict=True))[:count]
    ]


def test_a_witness_is_registered_with_its_key_and_address(signed: SignedBook):
    key = f"  {WITNESSES[0].key}\n"
    url = "https://witness.example/street/"
    added = signed.database.transact(service.add_witness, signed.book, key, " 南山街道 ", url, actor=ADMIN)
    assert (added.title, added.url) == ("南山街道", "https://witness.example/street")
    assert added.key == WITNESSES[0].key
    with signed.database.reading() as db:
        assert queries.list_witnesses(db, signed.book) == [added]
        assert str(queries.policy_of(db, signed.book)) == "0 of 1"


@pytest.mark.parametrize(
    ("key", "title", "url", "field"),
    [
        ("", "街道", None, "verifier_key"),
        ("street+00000000+AAAA", "街道", None, "verifier_key"),
        (str(note.signing_key("log.example", bytes(32)).key), "街道", None, "verifier_key"),
        (str(note.signing_key("w" * 400, bytes(32), note.COSIGNATURE).key), "街道", None, "verifier_key"),
        (str(WITNESSES[0].key), "", None, "title"),
        (str(WITNESSES[0].key), "街" * 101, None, "title"),
        *(
            (str(WITNESSES[0].key), "街道", url, "url")
            for url in (
                "witness.example", "ftp://witness.example", "http://", "http://a b", "http://u:p@h", "http://h?q=1",
                "http://h:0", "http://h:99999", "http://h#f", "local:../etc", "local:", "file:///etc", "http://é.example",
            )
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_can_not_be_a_witness_is_refused_by_field(signed: SignedBook, key, title, url, field):
    with pytest.raises(Invalid) as refused:
        signed.database.transact(service.add_witness, signed.book, key, title, url, actor=ADMIN)
    assert list(refused.value.errors) == [field]
    with signed.database.reading() as db:
        assert queries.list_witnesses(db, signed.book) == []


def test_another_key_of_the_same_name_and_another_name_of_the_same_key_are_refused(signed: SignedBook):
    first = register(signed, 1)[0]
    same_name = note.signing_key(first.name, bytes([99]) * 32, note.COSIGNATURE)
    same_key = note.signing_key("another.example", WITNESSES[0].seed, note.COSIGNATURE)
    for key in (same_name, same_key, WITNESSES[0]):
        with pytest.raises(WitnessKnown):
            signed.database.transact(service.add_witness, signed.book, str(key.key), "别人", None, actor=ADMIN)
    signed.database.transact(service.retire_witness, signed.book, first.witness_id, actor=ADMIN)
    signed.database.transact(service.add_witness, signed.book, str(same_name.key), "新钥匙", None, actor=ADMIN)


def test_of_two_who_register_at_once_one_is_told(signed: SignedBook):
    told: list[object] = []

    def add(number: int) -> None:
        key = note.signing_key("street-office.example", bytes([number]) * 32, note.COSIGNATURE)
        try:
            told.append(
                signed.database.transact(service.add_witness, signed.book, str(key.key), "街道", None, actor=ADMIN)
            )
        except WitnessKnown as refusal:
            told.append(refusal)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(each).__name__ for each in told) == ["Witness", *["WitnessKnown"] * 3]


def test_the_policy_never_asks_for_more_than_there_are(signed: SignedBook):
    added = register(signed)
    for needed in (4, -1):
        with pytest.raises(BadPolicy):
            signed.database.transact(service.set_policy, signed.book, needed, actor=ADMIN)
    signed.database.transact(service.set_policy, signed.book, 2, actor=ADMIN)
    signed.database.transact(service.retire_witness, signed.book, added[0].witness_id, actor=ADMIN)
    with pytest.raises(PolicyNeedsWitness):
        signed.database.transact(service.retire_witness, signed.book, added[1].witness_id, actor=ADMIN)
    with pytest.raises(UnknownWitness):
        signed.database.transact(service.retire_witness, signed.book, added[0].witness_id, actor=ADMIN)
    with signed.database.reading() as db:
        assert str(queries.policy_of(db, signed.book)) == "2 of 2"


def test_every_change_of_the_register_is_a_deed_in_the_books_log(signed: SignedBook):
    added = register(signed, 1)[0]
    signed.database.transact(service.set_policy, signed.book, 1, actor=ADMIN)
    signed.database.transact(service.set_policy, signed.book, 0, actor=ADMIN)
    signed.database.transact(service.retire_witness, signed.book, added.witness_id, actor=ADMIN)
    size = signed.seal(Log.ACCESS)
    with signed.database.reading() as db:
        told = [json.loads(leaf) for _, leaf in logs.list_leaves(db, signed.book, Log.ACCESS, 0, size)]
    mine = [(leaf["k"], leaf["by"], leaf["src"]) for leaf in told if leaf["k"] == "setting"]
    assert mine == [
        ("setting", ADMIN, f"witness:{added.witness_id}"),
        ("setting", ADMIN, "witness-policy:1"),
        ("setting", ADMIN, "witness-policy:0"),
        ("setting", ADMIN, f"witness-retired:{added.witness_id}"),
    ]


def test_what_was_signed_by_file_is_taken_in_once(signed: SignedBook, database: Database):
    register(signed)
    signed.award()
    signed.sign()
    signed.award()
    signed.sign()
    with database.reading() as db:
        one, two = logs.list_checkpoints(db, signed.book, Log.LEDGER)
    read = checkpoint.read(one.note)[1]
    line = cosignature.cosign(read.text, WITNESSES[0], 1_790_000_000)
    for data in (f"{line}\n".encode(), read.with_signatures([line]).encode(), f"{line}\n".encode()):
        kept = database.transact(service.accept, signed.book, data)
        assert [(each.log, each.size, each.name) for each in kept] == [(Log.LEDGER, 1, "street-office.example")]
    again = cosignature.cosign(read.text, WITNESSES[0], 1_790_000_060)
    database.transact(service.accept, signed.book, f"{again}\n".encode())
    with database.reading() as db:
        standing = queries.standing_of(db, queries.get_checkpoint(db, signed.book, Log.LEDGER, 1))
        assert [each.time for each in standing.cosigned] == [1_790_000_000]
        assert queries.find_standing(db, signed.book, Log.LEDGER).cosigned == ()
    assert two.size == 2


def test_what_no_witness_signed_is_not_taken_in(signed: SignedBook, database: Database):
    register(signed, 2)
    signed.award()
    signed.sign()
    with database.reading() as db:
        own = checkpoint.read(queries.get_standing(db, signed.book, Log.LEDGER).checkpoint.note)[1]
    stranger = cosignature.cosign(own.text, WITNESSES[2], 1_790_000_000)
    other = cosignature.cosign(own.text.replace("\n1\n", "\n9\n"), WITNESSES[0], 1_790_000_000)
    moved = note.Signature(other.name, other.key_id, other.payload[:-1] + b"\x00")
    forged = note.Note(own.text.replace("\n1\n", "\n9\n"), (other,))
    for data in (
        f"{stranger}\n".encode(), f"{other}\n".encode(), f"{moved}\n".encode(), forged.encode(), own.encode(),
    ):  # fmt: skip
        with pytest.raises(NothingSigned):
            database.transact(service.accept, signed.book, data)
    with pytest.raises(WrongSignature):
        database.transact(service.accept, signed.book, own.with_signatures([moved]).encode())
    for data in (b"", b"\xff", b"nonsense\n", b"- a AAAA\n"):
        with pytest.raises(BadNote):
            database.transact(service.accept, signed.book, data)
