"""Certificates: whole or not called so; numbered, signed, checked on- and offline; corrected, revoked, forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import segno
import sqlalchemy as sa

from moralbank import clock, ledger, papers
from moralbank.certificates import paper, queries, service, tokens, values
from moralbank.certificates.errors import (
    CertificateIncomplete,
    CertificateVoid,
    NothingToCertify,
    PeriodBackwards,
)
from moralbank.certificates.models import certificates
from moralbank.certificates.queries import Certificate
from moralbank.certificates.values import State
from moralbank.db import Database
from moralbank.reports import beside
from scripts import verify_certificate
from tests import _ci
from tests.certificates.conftest import JUNE, MARCH, Village
from tests.papers._paper import last_page_of


def issue(database: Database, village: Village, who=None, first=MARCH, last=JUNE) -> Certificate:
    resident_id = (who or village.zhou).resident_id
    return database.transact(
        service.issue, resident_id, first, last, handler="王经办", contact="82000000", actor="staff:7"
    )


def test_a_certificate_has_number_issuer_handler_contact_and_every_service(database, village: Village) -> None:
    said = issue(database, village).said

    assert said["number"] == "NS-00-2026-000001"
    assert (said["name"], said["sex"], said["born_on"]) == ("周\U0002b5af岚", "女", "1958-02-03")
    assert (said["issuer"], said["handler"], said["contact"]) == ("南山驿站", "王经办", "82000000")
    assert (said["minutes"], said["total_minutes"], said["stars"]) == (210, 210, 0)
    first = said["services"][0]
    assert (first["activity"], first["place"], first["content"]) == ("河岸清洁", "洛水河岸", "捡拾河岸垃圾")
    assert (first["organiser"], first["leader"], first["minutes"]) == ("南山驿站", "周\U0002b5af岚", 150)
    assert issue(database, village, first=JUNE.replace(day=10)).number == "NS-00-2026-000002"


def test_what_lacks_a_field_is_not_called_a_certificate_and_the_refusal_names_it(database, village: Village) -> None:
    with pytest.raises(CertificateIncomplete) as refusal:
        issue(database, village, village.ge)

    assert refusal.value.fields["missing"] == "性别、出生日期、联系方式（手机号，没有手机的写楼栋）"
    with database.reading() as db:
        assert queries.list_of_resident(db, village.ge.resident_id) == []


def test_old_minutes_without_an_activity_are_named_by_their_line(database, village: Village) -> None:
    def carry_over(db: sa.Connection) -> None:
        opening = ledger.internal_account(db, village.book, ledger.AccountKind.OPENING)
        legs = (
            ledger.Leg(opening, ledger.Unit.MINUTES, -600),
            ledger.Leg(village.zhou.account_id, ledger.Unit.MINUTES, 600),
        )
        branch = village.zhou.branch_id
        ledger.post(db, ledger.Draft(village.book, "opening", legs, "old", "staff:7", branch=branch, grade="D"))

    database.transact(carry_over)

    with pytest.raises(CertificateIncomplete) as refusal:
        issue(database, village)
    assert "第 3 行的活动名称" in refusal.value.fields["missing"]
    assert "第 3 行的负责人" in refusal.value.fields["missing"]


def test_days_that_cant_be_meant_are_refused(database, village: Village) -> None:
    for first, last, refusal in (
        (JUNE, MARCH, PeriodBackwards),
        (MARCH, JUNE.replace(year=2027), PeriodBackwards),
        (MARCH, MARCH, NothingToCertify),
    ):
        with pytest.raises(refusal):
            issue(database, village, first=first, last=last)


def test_every_change_of_one_character_in_a_field_is_found_with_the_public_key_alone(
    database, village: Village, tmp_path: Path
) -> None:
    made = issue(database, village)
    with database.reading() as db:
        [key] = queries.list_keys(db)
    keys = {key.kid: verify_certificate.PublicKey(key.public)}
    text = made.content
    assert verify_certificate.why_not({"token": made.token, "fields": json.loads(text)}, keys) == ""
    found = 0
    for at, character in enumerate(text):
        other = "0" if character != "0" else "1"
        changed = text[:at] + other + text[at + 1 :]
        assert values.digest(changed) != values.digest(text)
        try:
            fields = json.loads(changed)
        except ValueError:
            continue
        if fields != json.loads(text) and at % 7 == 0:
            assert "altered" in verify_certificate.why_not({"token": made.token, "fields": fields}, keys)
            found += 1
    assert found > 50
    public = {key.kid: key.public}
    for at in range(0, len(made.token), 9):
        swapped = made.token[:at] + ("A" if made.token[at] != "A" else "B") + made.token[at + 1 :]
        assert tokens.verify(swapped, public) is None
    assert tokens.verify(made.token, {}) is None
    assert tokens.verify(made.token + "=", public) is None


def test_the_offline_program_tells_match_altered_and_foreign(
    database, village: Village, tmp_path: Path, capsys
) -> None:
    made = issue(database, village)
    with database.reading() as db:
        [key] = queries.list_keys(db)
    keys, file = tmp_path / "keys.txt", tmp_path / "c.json"
    keys.write_text(f"{key.kid} {verify_certificate.base64.b64encode(key.public).decode()} 2026-06-20 -\n")
    file.write_text(json.dumps({"token": made.token, "fields": made.said}))

    assert verify_certificate.main([str(file), str(keys)]) == 0
    file.write_text(json.dumps({"token": made.token, "fields": made.said | {"minutes": 2100}}))
    assert verify_certificate.main([str(file), str(keys)]) == 1
    _seed, other = tokens.new_seed()
    keys.write_text(f"{key.kid} {verify_certificate.base64.b64encode(other).decode()} 2026-06-20 -\n")
    assert verify_certificate.main([str(file), str(keys)]) == 1
    assert verify_certificate.main([str(tmp_path / "none"), str(keys)]) == 2
    assert "内容被改过" in capsys.readouterr().out


def test_a_fresh_key_signs_from_then_on_and_what_was_issued_stays_valid(database, village: Village) -> None:
    old = issue(database, village)

    assert database.transact(service.rotate_key) == 2

    new = issue(database, village)
    with database.reading() as db:
        public = {key.kid: key.public for key in queries.list_keys(db)}
        assert queries.find_by_token(db, old.token) == old
        assert queries.find_by_token(db, new.token) == new
    signed = [tokens.verify(one.token, public) for one in (old, new)]
    assert [token.kid for token in signed if token] == [1, 2]


def test_the_code_of_a_certificate_is_of_version_11_q_at_most(database, village: Village) -> None:
    token = issue(database, village).token

    assert len(token) == 132
    assert segno.make(f"https://moralbank.example.gov.cn/v/{token}", error="q", boost_error=False).version <= 11


def test_a_correction_takes_the_place_and_a_revocation_ends_it_once(database, village: Village) -> None:
    old = issue(database, village)
    database.transact(
        ledger.reverse, village.book, _entry_of(database, village), key="r-1", actor="staff:7", checker="staff:8",
        private={"reason": "重复登记"},
    )  # fmt: skip
    with database.reading() as db:
        assert service.has_changed(db, old, village.zhou)

    new = database.transact(
        service.correct, old.certificate_id, "冲正了一行", handler="王经办", contact="", actor="staff:7"
    )

    with database.reading() as db:
        was = queries.get_certificate(db, old.certificate_id)
    assert (was.state, was.corrected_by) == (State.CORRECTED, new.certificate_id)
    assert new.service_minutes < old.service_minutes
    assert database.transact(service.revoke, new.certificate_id, "误开", actor="staff:7").state is State.REVOKED
    for again in (old, new):
        with pytest.raises(CertificateVoid):
            database.transact(service.revoke, again.certificate_id, "再来", actor="staff:7")
        with pytest.raises(CertificateVoid):
            database.transact(service.note_copy, again.certificate_id, "pdf", actor="staff:7")


def _entry_of(database: Database, village: Village):
    with database.reading() as db:
        return ledger.history(db, village.book, village.zhou.account_id, ledger.Unit.MINUTES, limit=1)[0].entry_id


def test_the_database_itself_keeps_what_was_issued_and_lets_it_be_forgotten(database, village: Village) -> None:
    made = issue(database, village)
    for change in ({"service_minutes": 9999}, {"number": "x"}, {"content": "{}"}, {"token": "t"}):
        with pytest.raises(sa.exc.DBAPIError):
            database.transact(lambda db, change=change: db.execute(certificates.update().values(**change)))
    with pytest.raises(sa.exc.DBAPIError):
        database.transact(lambda db: db.execute(certificates.delete()))

    assert database.transact(service.forget, village.zhou.resident_id) == 1
    with database.reading() as db:
        gone = queries.get_certificate(db, made.certificate_id)
    assert (gone.state, gone.content) == (State.FORGOTTEN, "")


def test_stars_are_given_by_whole_hours() -> None:
    hours = (99, 100, 299, 300, 600, 999, 1000, 1499, 1500, 9000)

    assert [values.stars(60 * one) for one in hours] == [0, 1, 1, 2, 3, 3, 4, 4, 5, 5]
    assert values.stars(60 * 100 - 1) == 0


def test_a_short_code_is_read_however_it_is_typed() -> None:
    code = values.short_code("token")

    assert len(code) == 12
    assert values.read_short_code(f" {values.in_fours(code).lower()} ") == code
    assert values.read_short_code("oIl0") == "0110"


def test_what_is_issued_corrected_and_revoked_is_what_the_log_says(database, village: Village) -> None:
    made = issue(database, village)
    again = database.transact(
        service.correct, made.certificate_id, "写错了", handler="张经办", contact="82000000", actor="staff:7"
    )
    database.transact(service.revoke, again.certificate_id, "重复", actor="staff:7")
    with database.reading() as db:
        checked = beside.verify(db, village.book)
    assert checked.faults == ()
    assert checked.deeds >= 3


def test_who_certifies_and_the_code_never_stand_alone_on_a_page(database, village: Village) -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
    made = paper.certificate(issue(database, village), "https://bank.example", 1)
    seen = set()
    for count in range(11, 17):
        rows = [
            [f"{n}", "2026-03-01", f"第{n}次\n捡拾河岸垃圾", "邻里中心\n周岚", "2 小时"] for n in range(1, count + 1)
        ]
        pages, last = last_page_of(papers.pdf("certificate", made | {"rows": rows}, clock.now()))
        seen.add(pages)
        assert "出具单位" in last
        assert all(f"第{n}次" in last for n in range(count - 2, count + 1)), count
    assert seen == {1, 2}, "it is tried around the end of a page"
