"""The verifier over a book that exists on paper only: sound as written, and each broken rule named in plain words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.verifier import _paper as p
from tests.verifier._paper import SHOP, SUN, ZHAO, Paper
from tests.verifier._run import PATH, run


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "policy.txt"
    path.write_text(p.policy_of(p.LOG_KEY, p.ACCESS_KEY))
    return path


def changed(paper: Paper, index: int, change: Callable[[dict], object]) -> None:
    """Alter a leaf as somebody would who can also make every checkpoint anew."""
    fields = json.loads(paper.leaves[index])
    change(fields)
    paper.leaves[index] = p.canonical(fields)


def test_a_sound_book_is_told_in_figures_and_in_both_languages(tmp_path: Path, keys: Path) -> None:
    export = p.small_book().write(tmp_path / "export.zip")
    status, said = run(export, "--key", keys)
    assert (status, said.splitlines()[-1]) == (0, "All of it is sound.")
    for figure in ("14  leaves hashed anew (ledger)", "3  checkpoints agree", "12  entries, 36 legs, 7 accounts",
                   "2  reversals", "1  expiries, of 30 points", "1  closed days, 1 sealing", "2  private parts",
                   "1  reasons of deeds", "1  notices of expiry",
                   "2  leaves hashed anew (access)"):  # fmt: skip
        assert figure in said
    status, said = run(export, "--key", keys, lang="zh")
    assert (status, said.splitlines()[-1]) == (0, "核对完毕，没有发现问题。")


def test_keys_that_come_from_the_export_alone_are_said_to_do_so(tmp_path: Path) -> None:
    status, said = run(p.small_book().write(tmp_path / "export.zip"))
    assert status == 0
    assert "the keys are those in the export itself" in said


def test_it_runs_as_a_program_of_its_own_that_imports_nothing_but_the_standard_library(tmp_path: Path) -> None:
    export = p.small_book().write(tmp_path / "export.zip")
    # -I: without this project, without installed packages, in an empty folder.
    words = [sys.executable, "-I", "-S", str(PATH), str(export), "--lang", "en"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "All of it is sound." in done.stdout
    missing = subprocess.run([sys.executable, "-I", "-S", str(PATH), "none.zip"], capture_output=True, cwd=tmp_path)
    assert missing.returncode == 2


ALTERED: dict[str, tuple[int, Callable[[dict], object], str]] = {
    "zero sum": (2, lambda f: f["legs"][0].update(d=-19), "do not sum to zero"),
    "a zero amount": (2, lambda f: f["legs"][0].update(d=0), "form of an entry"),
    "a fraction": (2, lambda f: f["legs"][0].update(d=-20.5), "is not JSON"),
    "an amount beyond 2^53": (2, lambda f: f["legs"][0].update(d=-(2**53)), "a leg has not the form"),
    "a gap": (4, lambda f: f["legs"][0].update(n=9), "have a gap"),
    "a wrong balance": (4, lambda f: f["legs"][0].update(b=24), "the balance does not follow"),
    "a number on a summed account": (4, lambda f: f["legs"][1].update(n=1, b=5), "of another kind"),
    "an unknown account": (4, lambda f: f["legs"][1].update(a=SHOP + 99), "is unknown"),
    "another book": (4, lambda f: f.update(book=8), "form of an entry"),
    "an unknown kind": (4, lambda f: f.update(kind="present"), "form of an entry"),
    "a name that no leaf has": (4, lambda f: f.update(name="赵"), "form of an entry"),
    "no value": (4, lambda f: f.update(br=None), "form of an entry"),
    "time backwards": (8, lambda f: f.update(at="2026-04-11T01:41:00.000000Z"), "earlier than the one before"),
    "no such day": (5, lambda f: f.update(on="2026-02-30"), "at no instant that exists"),
    "a day to come": (5, lambda f: f.update(on="2026-03-02"), "at no instant that exists"),
    "an unknown rule": (5, lambda f: f.update(rule=["V09", 1]), "rule V09 1 is unknown"),
    "a rule not yet in force": (5, lambda f: f.update(rule=["V01", 1], on="2025-12-31"), "or was not in force"),
    "a reversal of nothing": (5, lambda f: f.update(rev="0" * 32), "it reverses what cannot be reversed"),
    "a checker who is the maker": (11, lambda f: f.update(ok="auditor:1"), "a second person"),
    "nobody who checked": (11, lambda f: f.pop("ok"), "a second person"),
    "a private part exchanged": (3, lambda f: f.update(m="0" * 64), "not the one committed to"),
    "a fact that is none": (0, lambda f: f.update(no=0), "form of a fact"),
    "a missing fact": (6, lambda f: f.update(no=3), "numbers of the facts have a gap"),
    "a seal of other sums": (6, lambda f: f.update(points=1), "seal of 2026-03-01 differs"),
    "a seal of another close": (6, lambda f: f.update(last=99), "close of 2026-03-01 differs"),
    "a seal of other accounts": (6, lambda f: f["accounts"].update(n=3), "an account or its kind was changed"),
}


@pytest.mark.parametrize("case", ALTERED)
def test_a_book_that_was_signed_anew_over_a_broken_rule_is_named(tmp_path: Path, keys: Path, case: str) -> None:
    """Even the bank itself, with its keys and its witnesses, can't have a book signed that breaks a rule."""
    index, change, words = ALTERED[case]
    paper = p.small_book()
    changed(paper, index, change)
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert words in said


def test_an_entry_behind_the_close_of_its_day_is_named(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    paper.closed[0][1] = 3
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert "posted into 2026-03-01, which was closed" in said


def test_points_may_not_expire_before_their_day(tmp_path: Path, keys: Path) -> None:
    paper = Paper()
    paper.award(ZHAO, 30, "2026-04-10")
    paper.entry("expiry", (ZHAO, "points", -30), (p.EXPIRED, "points", 30))
    paper.sign()
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert "expired before their day" in said


@pytest.mark.parametrize(("noted_on", "status"), [("2026-04-03", 0), ("2026-04-04", 1), ("", 1)])
def test_points_expire_a_week_after_their_holder_could_read_of_it_at_the_earliest(
    tmp_path: Path, keys: Path, noted_on: str, status: int
) -> None:
    paper = Paper()
    paper.award(ZHAO, 30, "2026-04-10")
    paper.now = datetime(2026, 4, 10, 1, 0)
    paper.entry("expiry", (ZHAO, "points", -30), (p.EXPIRED, "points", 30))
    paper.notices += [[ZHAO, "2026-04-10", noted_on]] if noted_on else []
    paper.sign()
    found, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert (found, "no notice seven days before (2026-04-10)" in said) == (status, status == 1), said


def test_what_was_given_back_expires_with_the_lot_it_was_drawn_from(tmp_path: Path, keys: Path) -> None:
    paper = Paper()
    paper.award(ZHAO, 30, "2026-04-10")
    paper.award(ZHAO, 10)
    paper.redemption(ZHAO, 5)
    paper.reverse(2)
    paper.notices += [[ZHAO, "2026-04-10", "2026-02-10"], [ZHAO, "2029-03-01", "2026-02-10"]]
    paper.now += p.timedelta(days=60)
    paper.entry("expiry", (ZHAO, "points", -30), (p.EXPIRED, "points", 30))
    paper.sign()
    assert run(paper.write(tmp_path / "export.zip"), "--key", keys)[0] == 0
    paper.entry("expiry", (ZHAO, "points", -1), (p.EXPIRED, "points", 1))
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert "expired before their day" in said


def test_a_merchant_is_not_settled_more_than_it_is_owed(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    paper.settle(1, "2026-04")
    paper.sign()
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert "settled more than it is owed" in said


def test_a_second_reversal_and_one_that_is_no_mirror_are_named(tmp_path: Path, keys: Path) -> None:
    twice = p.small_book()
    twice.reverse(4)
    twice.sign()
    partly = Paper()
    partly.award(SUN, 20)
    first = partly.redemption(SUN, 6)
    partly.entry("undo", (SUN, "points", 5), (SHOP, "points", -5), rev=first)
    partly.sign()
    for paper in (twice, partly):
        status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
        assert status == 1
        assert "it reverses what cannot be reversed" in said


@pytest.mark.parametrize(("spent", "taken", "status"), [(15, 5, 0), (15, 4, 1), (0, 5, 1), (20, 0, 0)])
def test_a_reversal_takes_less_only_where_it_takes_all_that_is_left(
    tmp_path: Path, keys: Path, spent: int, taken: int, status: int
) -> None:
    paper = Paper()
    given = paper.award(SUN, 20)
    if spent:
        paper.redemption(SUN, spent)
    points = ((SUN, "points", -taken), (p.ISSUER, "points", taken)) if taken else ()
    minutes = ((SUN, "minutes", -120), (p.REGISTRY, "minutes", 120))
    paper.entry("reversal", *points, *minutes, rev=given, ok="staff:2")
    paper.shortfall(given, SUN, 20 - taken)
    paper.sign()
    found, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert (found, "it reverses what cannot be reversed" in said) == (status, status == 1), said


def test_one_source_is_posted_once_and_one_id_is_one_entry(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    paper.award(SUN, 20, src=["attendance", "1"])
    paper.sign()
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert "the src of entry 13 in order comes twice" in said


def replaced(files: dict[str, bytes], name: str, old: str, new: str) -> None:
    assert old.encode() in files[name], (name, old)
    files[name] = files[name].replace(old.encode(), new.encode(), 1)


BESIDE = {
    "a balance": ("balances.txt", f"{ZHAO} points 6 0 ", f"{ZHAO} points 6 1 ", "balance row"),
    "a kind": ("accounts.txt", f"{p.EXPIRED} expired", f"{p.EXPIRED} opening", "kind was changed"),
    "a guard": ("accounts.txt", f"{ZHAO} resident", f"{ZHAO} merchant", "of another kind"),
    "a statement": ("statements.txt", f"{SUN} points 2026-03 0 ", f"{SUN} points 2026-03 1 ", "the statement of"),
    "a key": ("keys.txt", "key-000002", "key-000001", "comes twice"),
    "an answer": ("keys.txt", "key-000002", "key-000002 x", "has not one answer"),
    "a settlement": ("settlements.txt", "2026-04 13", "2026-04 12", "settlement of account"),
    "a settled month": ("settlements.txt", "2026-04 13", "2026-03 13", "settlement of account"),
    "a salt": ("openings.txt", "1 ", "1 00", "not the one committed to"),
    "a close": ("closed_days.txt", "2026-03-01 5", "2026-03-01 6", "differs from its seal"),
    "a rule": ("rules.txt", "2026-01-01", "2026-12-31", "or was not in force"),
    "the book's own word": ("differences.txt", "", "4 the entry differs from its leaf\n", "tables of the database"),
    "an unknown row": ("balances.txt", f"{ZHAO} points", f"{ZHAO} gold", "balance row"),
    "a row of other words": ("balances.txt", f"{ZHAO} points", "points", "is not understood"),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_stands_beside_the_leaves_is_held_against_them(tmp_path: Path, keys: Path, case: str) -> None:
    name, old, new, words = BESIDE[case]
    files = p.unpack(p.small_book().write(tmp_path / "export.zip"))
    replaced(files, name, old, new)
    status, said = run(p.pack(tmp_path / "export.zip", files), "--key", keys)
    assert status == 1
    assert words in said


def test_a_private_part_that_is_gone_needs_an_erasure_of_somebody_whose_line_it_was(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    lost = paper.openings.pop()
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 1
    assert "its private part is gone and no erasure says so" in said
    assert json.loads(paper.leaves[lost[0]])["legs"][0]["a"] == ZHAO
    paper.fact("erase", a=ZHAO, why="asked", by="staff:1", ok="staff:2")
    paper.sign()
    status, said = run(paper.write(tmp_path / "export.zip"), "--key", keys)
    assert status == 0
    assert "1  erasures of personal data, facts 3" in said


def test_what_was_written_beside_a_deed_is_opened(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    [[_, _, note]] = paper.reasons
    assert note == '"家属来电"'
    other = p.small_book()
    other.reasons[0][2] = '"随便看看"'
    stray = p.small_book()
    stray.reasons[0][0] = 0
    lost = p.small_book()
    lost.reasons.clear()
    for wrong, words in ((other, "not the one committed to"), (stray, "not the one committed to"), (lost, "is gone")):
        status, said = run(wrong.write(tmp_path / "export.zip"), "--key", keys)
        assert status == 1
        assert words in said
    lost.fact("erase", a=ZHAO, why="asked", by="staff:1", ok="staff:2")
    lost.sign()
    assert run(lost.write(tmp_path / "export.zip"), "--key", keys)[0] == 0


def test_a_later_key_is_trusted_when_a_leaf_under_the_earlier_key_names_it(tmp_path: Path, keys: Path) -> None:
    later = p.Signer(p.ORIGIN, 1, seed=2)
    paper = p.small_book()
    files = p.unpack(paper.write(tmp_path / "new.zip", signer=later))
    status, said = run(p.pack(tmp_path / "new.zip", files), "--key", keys)
    assert status == 1
    assert "not signed by a key that you know" in said
    until = "2026-07-01T00:00:00.000000Z"
    text = f"moralbank key\n{p.ORIGIN}\n{later.vkey}\n{until}\n"
    handed = {"origin": p.ORIGIN, "new": later.vkey, "old": p.LOG_KEY.vkey, "until": until}
    paper.fact("key", **handed, sig=p.LOG_KEY.line(text).strip())
    paper.sign()
    old = paper.write(tmp_path / "old.zip")
    paper.award(SUN, 2)
    paper.sign()
    files = p.unpack(paper.write(tmp_path / "new.zip", signer=later))
    before = p.unpack(old)["ledger/checkpoints.jsonl"].splitlines(keepends=True)
    after = files["ledger/checkpoints.jsonl"].splitlines(keepends=True)
    files["ledger/checkpoints.jsonl"] = b"".join([*before, after[-1]])
    files["ledger/keys.txt"] = p.rows([[p.LOG_KEY.vkey], [later.vkey]])
    assert run(p.pack(tmp_path / "new.zip", files), "--key", keys)[0] == 0


def test_too_few_witnesses_are_not_enough(tmp_path: Path, keys: Path) -> None:
    files = p.unpack(p.small_book().write(tmp_path / "export.zip"))
    lines = files["ledger/checkpoints.jsonl"].splitlines()
    notes = [json.loads(line) for line in lines]
    alone = [note[: note.index("— residents")] for note in notes]
    files["ledger/checkpoints.jsonl"] = b"".join(p.canonical(note) + b"\n" for note in alone)
    status, said = run(p.pack(tmp_path / "export.zip", files), "--key", keys)
    assert status == 1
    assert "no checkpoint was cosigned by enough witnesses" in said


def test_a_book_grows_from_what_it_was_and_never_shrinks(tmp_path: Path, keys: Path) -> None:
    paper = p.small_book()
    old = paper.write(tmp_path / "old.zip")
    head = tmp_path / "head.txt"
    head.write_text(json.loads(p.unpack(old)["ledger/checkpoints.jsonl"].splitlines()[-1]))
    paper.award(SUN, 4)
    paper.sign()
    new = paper.write(tmp_path / "new.zip")
    part = paper.write(tmp_path / "part.zip", start=6)
    for then in (old, head):
        status, said = run("since", then, new, "--key", keys)
        assert status == 0
        assert "14  leaves in the old one, the beginning of the new" in said
    assert run("since", old, part, "--key", keys)[0] == 0
    assert run(part, "--key", keys)[0] == 0
    status, said = run("since", new, old, "--key", keys)
    assert status == 1
    assert "the book was set back" in said
    other = p.small_book()
    other.leaves.insert(9, other.leaves.pop(8))
    rewritten = other.write(tmp_path / "rewritten.zip")
    for then in (old, head):
        assert run("since", then, rewritten, "--key", keys)[0] == 1


def test_a_fork_is_named_although_each_of_its_books_is_sound(tmp_path: Path, keys: Path) -> None:
    one, two = p.small_book(), p.small_book()
    one.award(SUN, 4)
    two.award(SUN, 5)
    one.sign()
    two.sign()
    left, right = one.write(tmp_path / "left.zip"), two.write(tmp_path / "right.zip")
    assert run(left, "--key", keys)[0] == run(right, "--key", keys)[0] == 0
    status, said = run("since", left, right, "--key", keys)
    assert status == 1
    assert "the book was rewritten" in said


def test_a_book_rewritten_below_what_was_signed_is_named_by_the_first_checkpoint_that_differs(
    tmp_path: Path, keys: Path
) -> None:
    """Everything follows from everything else, but the signatures are over what was."""
    signed = p.unpack(p.small_book().write(tmp_path / "export.zip"))["ledger/checkpoints.jsonl"]
    paper = p.small_book()
    changed(paper, 4, lambda fields: fields.update(by="operator:9"))
    paper.keys[3][0] = "operator:9"
    files = p.unpack(paper.write(tmp_path / "export.zip"))
    files["ledger/checkpoints.jsonl"] = signed
    status, said = run(p.pack(tmp_path / "export.zip", files), "--key", keys)
    assert status == 1
    assert "the first 10 leaves are not those that were signed" in said
