"""A month's file proves the month, and nothing else does."""

from __future__ import annotations

import copy
import json
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from moralbank import clock
from moralbank.db import Database
from moralbank.errors import MoralBankError
from moralbank.proofs import queries as proofs
from moralbank.statements import proving
from moralbank.statements.errors import StatementFails
from moralbank.statements.files import statement_file
from moralbank.statements.queries import owner_of_resident
from moralbank.transparency import models
from tests._sealing import OFFICES, Sealing
from tests.statements._story import NOW, Story, Teller

MARCH, APRIL, MAY = date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1)
TWO = list(OFFICES)[:2]


@pytest.fixture
def sealing(database: Database, story: Story) -> Sealing:
    sealing = Sealing()
    database.transact(sealing.open)
    database.transact(sealing.seal, *TWO)
    return sealing


def made(database: Database, story: Story, month: date = MARCH) -> tuple[dict[str, Any], Any]:
    """The file as it is read from the disk again, and whose signatures count."""
    with database.reading() as db:
        file = statement_file(db, owner_of_resident(db, story.zhang), month)
        return json.loads(json.dumps(file)), proofs.trust_of(db, story.book)


def test_a_month_is_proven_whole(database: Database, story: Story, sealing: Sealing):
    file, trust = made(database, story)

    proven = proving.prove(file, trust)

    assert (proven.entries, proven.waiting, proven.balance) == (3, 0, 95)
    assert proven.offices == tuple(TWO)
    assert (file["points"]["opening"], file["points"]["closing"]) == ({"n": 0, "balance": 0}, {"n": 3, "balance": 95})
    assert file["minutes"]["closing"] == {"n": 1, "balance": 150}
    legs = [leg for one in file["leaves"] for leg in json.loads(one["leaf"])["legs"]]
    assert {leg["a"] for leg in legs if "b" in leg or "n" in leg} == {file["account"]}


def test_the_lines_before_and_after_the_month_show_that_none_is_missing(
    database: Database, story: Story, sealing: Sealing
):
    file, trust = made(database, story, APRIL)
    numbers = sorted(
        leg["n"]
        for one in file["leaves"]
        for leg in json.loads(one["leaf"])["legs"]
        if leg["a"] == file["account"] and leg["u"] == "points"
    )

    assert (file["points"]["opening"]["n"], file["points"]["closing"]["n"]) == (3, 6)
    assert numbers == [2, 3, 4, 5, 6, 7]
    assert proving.prove(file, trust).entries == 3
    assert not proving.prove(file, trust).is_open
    assert proving.prove(*made(database, story, MAY)).is_open


def test_a_month_without_lines_is_proven_too(database: Database, story: Story, sealing: Sealing):
    with clock.at(NOW + timedelta(days=40)):
        file, trust = made(database, story, date(2025, 6, 1))
    proven = proving.prove(file, trust)

    assert (proven.entries, proven.balance) == (0, 95)
    assert len(file["leaves"]) > 0


def test_what_is_not_sealed_yet_is_said_and_counted(database: Database, story: Story, sealing: Sealing):
    database.transact(lambda db: Teller(db, story.book).redeem(story.zhang, story.shop, 5, "鸡蛋一斤"))
    file, trust = made(database, story, MAY)
    proven = proving.prove(file, trust)

    assert (proven.entries, proven.waiting, proven.balance) == (2, 1, 90)
    assert len(file["waiting"]) == 1


def test_before_the_first_checkpoint_everything_waits(database: Database, story: Story):
    file, trust = made(database, story)
    proven = proving.prove(file, trust)

    assert trust is None
    assert (proven.entries, proven.waiting, proven.balance, proven.root) == (3, 3, 95, None)
    assert "checkpoint" not in file


def test_what_only_the_bank_signed_is_proven_without_offices(database: Database, story: Story):
    sealing = Sealing()
    database.transact(sealing.open)
    database.transact(sealing.seal)

    assert proving.prove(*made(database, story)).offices == ()


def change_leaf(file: dict[str, Any]) -> None:
    file["leaves"][1]["leaf"] = file["leaves"][1]["leaf"].replace('"d":25', '"d":26')


def change_proof(file: dict[str, Any]) -> None:
    step = bytearray(b64decode(file["leaves"][1]["proof"][0]))
    step[3] ^= 1
    file["leaves"][1]["proof"][0] = b64encode(step).decode()


def drop_line(file: dict[str, Any]) -> None:
    del file["leaves"][1]


def drop_last_line(file: dict[str, Any]) -> None:
    """Hide the newest line of the month together with what it left: the next month's line says otherwise."""
    del file["leaves"][2]
    file["points"]["closing"] = {"n": 2, "balance": 125}


def double_line(file: dict[str, Any]) -> None:
    file["leaves"].append(file["leaves"][0])


def change_balance(file: dict[str, Any]) -> None:
    file["points"]["closing"]["balance"] += 1


def begin_elsewhere(file: dict[str, Any]) -> None:
    file["points"]["opening"] = {"n": 0, "balance": 10}


def change_reason(file: dict[str, Any]) -> None:
    file["leaves"][1]["private"]["content"] = file["leaves"][1]["private"]["content"].replace("河岸", "河边")


def move_month(file: dict[str, Any]) -> None:
    file["since"] = "2025-03-10T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (change_leaf, "leaf"),
        (change_proof, "leaf"),
        (drop_line, "missing"),
        (drop_last_line, "missing"),
        (double_line, "missing"),
        (change_balance, "figures"),
        (begin_elsewhere, "missing"),
        (change_reason, "private"),
        (move_month, "missing"),
    ],
)
def test_a_file_that_was_changed_fails_by_what_was_changed(
    database: Database, story: Story, sealing: Sealing, change: Callable[[dict[str, Any]], None], why: str
):
    file, trust = made(database, story)
    change(file)

    with pytest.raises(StatementFails) as refusal:
        proving.prove(file, trust)

    assert refusal.value.fields == {"why": why}


def test_a_checkpoint_of_other_keys_proves_nothing(database: Database, story: Story, sealing: Sealing):
    file, _ = made(database, story)
    other = Sealing()
    forged, trust = copy.deepcopy(file), None
    with database.reading() as db:
        trust = proofs.trust_of(db, story.book)
    assert trust is not None
    key = other.offices[TWO[0]]
    lines = forged["checkpoint"].splitlines(keepends=True)
    forged["checkpoint"] = "".join(line for line in lines if not line.startswith(f"— {trust.origin_at(1)}"))
    assert key.key not in trust.policy.keys

    with pytest.raises(MoralBankError):
        proving.prove(forged, trust)


def test_a_thousand_changes_of_one_character_prove_nothing_else(database: Database, story: Story, sealing: Sealing):
    """Whatever still is a file and still proves a month proves the same month of the same account."""
    file, trust = made(database, story)
    right = proving.prove(file, trust)
    text, chance = json.dumps(file, ensure_ascii=False), random.Random(11)
    passed = 0
    for _ in range(1000):
        place = chance.randrange(len(text))
        changed = text[:place] + chance.choice('0123456789abcxyzAB+/="{}月') + text[place + 1 :]
        try:
            found = proving.prove(json.loads(changed), trust)
        except (MoralBankError, ValueError, KeyError, TypeError):
            continue
        passed += 1
        assert (found.entries, found.balance) == (right.entries, right.balance), text[place - 40 : place + 40]
    print(f"{passed} of 1,000 changes were in what proves nothing")


def test_a_log_that_had_to_begin_anew_is_known_by_the_name_of_its_time(
    database: Database, story: Story, sealing: Sealing
):
    """A checkpoint from before the restart bears the old name, and proves what it proved."""
    with database.engine.begin() as db:
        again = {"book_id": story.book, "log": 1, "from_size": 8, "origin": "bank.example/log/NS-00~2", "set_at": NOW}
        db.execute(models.origins.insert().values(**again))
    file, trust = made(database, story)

    assert file["origin"] == "bank.example/log/NS-00"
    assert trust.origin_at(8) == "bank.example/log/NS-00"
    assert trust.origin_at(9) == "bank.example/log/NS-00~2"
    assert proving.prove(file, trust).entries == 3
