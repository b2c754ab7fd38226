"""The pages of certificates: issue at the desk, take home, check in public, on paper with a code that scans."""

from __future__ import annotations

import csv
import io
import json

import pytest

from moralbank import papers
from moralbank.certificates import facts, paper, queries, service
from moralbank.db import Database
from moralbank.residents import service as residents
from moralbank.residents.values import Consent
from tests import _ci
from tests._people import form, give_reason, make_login, sign_in
from tests.certificates.conftest import JUNE, MARCH, Village
from tests.papers import _paper

FIELDS = {"first": f"{MARCH}", "last": f"{JUNE}", "handler": "王经办", "contact": "82000000"}


@pytest.fixture
def desk(client, database: Database, village: Village):
    sign_in(client, village.staff)
    give_reason(client, village.zhou.resident_id)
    give_reason(client, village.ge.resident_id)
    return client


def _issue(database: Database, village: Village) -> queries.Certificate:
    return database.transact(
        service.issue, village.zhou.resident_id, MARCH, JUNE, handler="王经办", contact="82000000", actor="staff:7"
    )


def test_staff_issue_print_and_revoke_and_the_public_page_says_so_at_once(desk, database, village: Village) -> None:
    if not papers.is_available():
        _ci.missing("no typst or no Chinese font on this machine (extra pdf)")
    whose = f"/staff/residents/{village.zhou.resident_id}/certificates"
    assert "这段时间有 2 次服务，共 3小时30分" in desk.get(f"{whose}?first={MARCH}&last={JUNE}").text

    issued = form(desk, whose, FIELDS)
    assert issued.status_code == 303
    here = issued.location
    pdf = desk.get(f"{here}.pdf")
    text = _paper.text_of(pdf.data)
    for words in (
        "志愿服务记录证明",
        "NS-00-2026-000001",
        "周\U0002b5af岚",
        "1958-02-03",
        "3小时30分",
        "捡拾河岸垃圾",
        "王经办",
        "第1份",
    ):
        assert words in text, words
    [page] = _paper.pages_of(pdf.data)
    [address] = _paper.codes_of(page)
    assert "第 1 份" in desk.get(here).text
    assert "NS-00-2026-000001" in desk.get("/staff/certificates").text

    stranger = desk.application.test_client()
    path = address.removeprefix("http://localhost")
    checked = stranger.get(path)
    assert "相符：本行出具，现在有效" in checked.text
    assert "周*岚" in checked.text
    for secret in ("周\U0002b5af岚", "1958", "13800000001", village.zhou.number, "河岸"):
        assert secret not in checked.text, secret
    assert checked.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert form(desk, f"{here}/revoke", {"reason": "误开"}).status_code == 303
    assert "已经撤销，不再有效" in stranger.get(path).text
    assert desk.get(f"{here}.pdf").status_code == 409


def test_a_certificate_with_missing_fields_is_refused_with_their_names_and_an_extract_is_offered(
    desk, village: Village
) -> None:
    whose = f"/staff/residents/{village.ge.resident_id}"

    refused = form(desk, f"{whose}/certificates", FIELDS)

    assert refused.status_code == 409
    for words in ("性别", "出生日期", "联系方式", "打印服务记录摘录"):
        assert words in refused.text
    if papers.is_available():
        text = _paper.text_of(desk.get(f"{whose}/extract.pdf").data)
        assert "服务记录摘录" in text
        assert "不是“志愿服务记录证明”" in text
    assert form(desk, f"{whose}/certificates", FIELDS | {"first": f"{JUNE}", "last": f"{MARCH}"}).status_code == 422
    assert form(desk, f"{whose}/certificates", FIELDS | {"handler": ""}).status_code == 422


def test_a_resident_takes_certificate_and_record_home_and_nobody_elses(client, database, village: Village) -> None:
    made = _issue(database, village)
    station = village.tree["NS-01"]
    sign_in(client, database.transact(make_login, "resident", station, None, village.zhou.resident_id))

    assert made.number in client.get("/me/certificates").text
    file = client.get(f"/me/certificates/{made.certificate_id}.json").get_json()
    assert file["fields"]["number"] == made.number
    record = json.loads(client.get("/me/record.json").data)
    rows = list(csv.DictReader(io.StringIO(client.get("/me/record.csv").data.decode("utf-8-sig"))))
    assert [one["minutes"] for one in record["services"]] == [150, 60]
    assert [(row["姓名"], row["服务时间（分钟）"], row["证据等级"]) for row in rows] == [
        ("周\U0002b5af岚", "150", "A"),
        ("周\U0002b5af岚", "60", "A"),
    ]
    assert (record["training"], record["commendation"], record["person"]["skills"]) == ([], [], "")
    sign_in(client, database.transact(make_login, "resident", station, None, village.ge.resident_id))
    assert client.get(f"/me/certificates/{made.certificate_id}.pdf").status_code == 404
    assert client.get(f"/me/certificates/{made.certificate_id}.json").status_code == 404
    assert "还缺这些" in client.get("/me/certificates").text
    other = database.transact(make_login, "staff", village.tree["NS-02"])
    sign_in(client, other)
    assert client.get(f"/staff/certificates/{made.certificate_id}").status_code == 403


def test_anybody_types_the_short_code_and_a_wrong_one_is_no_match(client, database, village: Village) -> None:
    made = _issue(database, village)

    assert client.get("/v").status_code == 200
    assert "相符" in client.get("/v", query_string={"code": made.code.lower()}).text
    for wrong in ("0000-0000-0000", "x", "' OR 1=1"):
        answer = client.get("/v", query_string={"code": wrong})
        assert answer.status_code == 404
        assert "不符" in answer.text
    for token in (made.token[:-1], made.token[:-1] + "_", "A" * 132, "keys2"):
        assert client.get(f"/v/{token}").status_code == 404
    [line] = client.get("/v/keys").text.splitlines()
    assert line.split()[0] == "1"
    assert len(line.split()) == 4


def test_a_corrected_certificate_points_the_checker_to_the_new_one(desk, database, village: Village) -> None:
    made = _issue(database, village)

    done = form(desk, f"/staff/certificates/{made.certificate_id}/correct", {"reason": "名字写错", "handler": "王经办"})

    assert done.status_code == 303
    assert "已经更正" in desk.get(f"/v/{made.token}").text
    assert (
        form(desk, f"/staff/certificates/{made.certificate_id}/correct", {"reason": "再", "handler": "王"}).status_code
        == 409
    )
    with database.reading() as db:
        successor = queries.list_of_resident(db, village.zhou.resident_id)[0]
    data = paper.certificate(successor, "http://localhost", 1)
    assert data["number"] == "编号 NS-00-2026-000002"
    assert "subtitle" not in data
    both = paper.certificate(successor, "http://localhost", 1, is_english=True)
    assert both["title"] == data["title"]
    assert [words for _label, words in both["facts"]] == [words for _label, words in data["facts"]]
    assert both["facts"][0][0] == "姓名 Name"
    assert both["sentence_en"].endswith(" min in all.")
    if papers.is_available():
        text = _paper.text_of(papers.pdf("certificate", both, successor.issued_at))
        assert "Certificateofvolunteerservice" in text
        assert successor.said["name"].replace(" ", "") in text


def test_skills_and_training_are_noted_with_consent_taken_along_and_taken_out(desk, database, village: Village) -> None:
    whose = f"/staff/residents/{village.zhou.resident_id}"
    given = {"kind": "training", "on_day": "2026-05-04", "words": "急救培训 8 小时"}

    refused = form(desk, f"{whose}/record", given)
    assert refused.status_code == 409
    assert "要先有本人对“记录”的同意" in refused.text
    database.transact(residents.give_consent, village.zhou.resident_id, Consent.RECORD, actor="staff:7")
    assert form(desk, f"{whose}/record", given | {"kind": "rank"}).status_code == 422
    for one in (given, {"kind": "skill", "on_day": "2026-05-04", "words": "理发"}):
        assert form(desk, f"{whose}/record", one).status_code == 303

    record = json.loads(desk.get(f"{whose}/record.json").data)
    assert record["training"] == [{"on": "2026-05-04", "words": "急救培训 8 小时"}]
    assert record["person"]["skills"] == "理发"
    rows = list(csv.DictReader(io.StringIO(desk.get(f"{whose}/record.csv").data.decode("utf-8-sig"))))
    assert {(row["服务技能"], row["培训"]) for row in rows} == {("理发", "急救培训 8 小时")}
    with database.reading() as db:
        skill = next(one for one in facts.list_facts(db, village.zhou.resident_id) if one.kind == "skill")
    assert form(desk, f"{whose}/record/{skill.fact_id}/removal").status_code == 303
    assert form(desk, f"{whose}/record/{skill.fact_id}/removal").status_code == 404
    database.transact(service.forget, village.zhou.resident_id)
    with database.reading() as db:
        assert facts.list_facts(db, village.zhou.resident_id) == []
