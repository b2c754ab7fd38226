"""The staff's pages of certificates: issue, the register, print, correct, revoke, extract, hand-over file."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as Redirect

from moralbank import clock
from moralbank.access.queries import actor_names
from moralbank.branches.queries import list_branches_under
from moralbank.certificates import facts, handover, paper, queries, records, service, values
from moralbank.certificates.errors import (
    CertificateIncomplete,
    CertificateVoid,
    NothingToCertify,
    OwnCertificate,
    PeriodBackwards,
    RecordConsentMissing,
)
from moralbank.certificates.queries import Certificate
from moralbank.certificates.schemas import CorrectIn, FactIn, IssueIn, RevokeIn
from moralbank.certificates.service import Draft
from moralbank.certificates.values import State
from moralbank.errors import N_, Invalid, MoralBankError
from moralbank.proofs.views import public_url
from moralbank.residents.queries import Resident, get_resident, residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current, scope_paths, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language, ngettext
from moralbank.web.paging import row_id
from moralbank.web.pdf import pdf_response, sheet
from moralbank.web.sheets import csv_response

blueprint = Blueprint("certificates", __name__)

PAGE = 50
#: The earliest day that a record may begin.
EVER = date(2000, 1, 1)
STATE_NAMES = {
    State.VALID: N_("有效"),
    State.CORRECTED: N_("已更正"),
    State.REVOKED: N_("证明已撤销"),
    State.FORGOTTEN: N_("内容已删除"),
}

Answer = str | Redirect | tuple[str, int]


@blueprint.app_template_global("certificate_state")
def certificate_state(state: State) -> str:
    """Return what became of a certificate in the reader's language."""
    return _(STATE_NAMES[state])


@blueprint.app_template_global("star_word")
def star_word(stars: int) -> str:
    """Return a volunteer's stars in the reader's language."""
    return ngettext("%(n)s 星", "%(n)s 星", stars) if stars else _("未到一星（100 小时）")


@blueprint.app_template_global("missing_word")
def missing_word(one: values.Missing) -> str:
    """Return what a missing field is called."""
    word = _(values.FIELD_WORDS[one.field])
    return _("第 %(n)s 行的%(field)s", n=one.line, field=word) if one.line else word


@blueprint.get("/staff/certificates")
@allow("staff", "auditor", scope="branch")
def show_all() -> str:
    """Show the register of the reader's branches."""
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        branch_ids = [branch.branch_id for branch in list_branches_under(db, scope_paths())]
        found = queries.list_register(db, branch_ids, before_id=before, limit=PAGE + 1)
        page = found[:PAGE]
        people = residents_by_id(db, {one.resident_id for one in page})
    return render_template(
        "certificates/list.html",
        certificates=page,
        people=people,
        next_url=url_for(".show_all", before=page[-1].certificate_id) if len(found) > PAGE else None,
        first_url=url_for(".show_all") if before else None,
    )


@blueprint.get("/staff/residents/<int:resident_id>/certificates")
@allow("staff", "auditor", scope="branch")
def of_resident(resident_id: int) -> str:
    """Show a resident's certificates, and what a new one would say or lack."""
    return _resident_page(resident_id, request.args.to_dict())


@blueprint.post("/staff/residents/<int:resident_id>/certificates")
@allow("staff", scope="branch")
def issue(resident_id: int) -> Answer:
    """Issue a certificate of a span of days."""
    with database().reading() as db:
        _reachable(db, resident_id)
    try:
        if current().resident_id == resident_id:
            raise OwnCertificate()
        given = read_form(IssueIn)
        made = database().transact(service.issue, resident_id, **given, actor=actor())
    except (Invalid, OwnCertificate, NothingToCertify, CertificateIncomplete) as refusal:
        errors = in_words(refusal) or {"first": [problems.sentence(refusal)]}
        return _resident_page(resident_id, request.form.to_dict(), errors), refusal.status
    flash(_("已出具 %(number)s，登记在册。请打印后交给本人，不收费。", number=made.number), "ok")
    return redirect(url_for(".show", certificate_id=made.certificate_id), 303)


@blueprint.get("/staff/certificates/<int:certificate_id>")
@allow("staff", "auditor", scope="branch")
def show(certificate_id: int) -> str:
    """Show a certificate with the register of its copies."""
    return _page(certificate_id)


@blueprint.get("/staff/certificates/<int:certificate_id>.pdf")
@allow("staff", scope="branch")
def print_pdf(certificate_id: int) -> Response:
    """Give a copy as paper, which the register counts."""
    with database().reading() as db:
        certificate = queries.get_certificate(db, certificate_id)
        resident = _reachable(db, certificate.resident_id)
    looking.note_export(resident, f"certificate:{certificate_id}")
    return copy_of(certificate)


@blueprint.post("/staff/certificates/<int:certificate_id>/revoke")
@allow("staff", scope="branch")
def revoke(certificate_id: int) -> Answer:
    """Take a certificate back."""
    try:
        _check_reach(certificate_id)
        database().transact(service.revoke, certificate_id, read_form(RevokeIn)["reason"], actor=actor())
    except (Invalid, CertificateVoid) as refusal:
        return _refused(certificate_id, refusal)
    flash(_("已撤销，扫码核对会立刻显示“已撤销”。"), "ok")
    return redirect(url_for(".show", certificate_id=certificate_id), 303)


@blueprint.post("/staff/certificates/<int:certificate_id>/correct")
@allow("staff", scope="branch")
def correct(certificate_id: int) -> Answer:
    """Put a certificate of the record as it is now in its place."""
    try:
        _check_reach(certificate_id)
        given = read_form(CorrectIn)
        made = database().transact(service.correct, certificate_id, **given, actor=actor())
    except (Invalid, CertificateVoid, NothingToCertify, CertificateIncomplete) as refusal:
        return _refused(certificate_id, refusal)
    flash(_("已更正：新的编号是 %(number)s，旧的显示“已更正”。", number=made.number), "ok")
    return redirect(url_for(".show", certificate_id=made.certificate_id), 303)


@blueprint.post("/staff/residents/<int:resident_id>/record")
@allow("staff", scope="branch")
def note_fact(resident_id: int) -> Answer:
    """Note a skill, a training, a commendation or an evaluation in a resident's record."""
    with database().reading() as db:
        _reachable(db, resident_id)
    try:
        given = read_form(FactIn)
        database().transact(facts.note, resident_id, **given, actor=actor())
    except (Invalid, RecordConsentMissing) as refusal:
        errors = in_words(refusal) or {"words": [problems.sentence(refusal)]}
        return _resident_page(resident_id, request.form.to_dict(), errors), refusal.status
    flash(_("已记下，本人在“服务证明”里看得到。"), "ok")
    return redirect(url_for(".of_resident", resident_id=resident_id, _anchor="record"), 303)


@blueprint.post("/staff/residents/<int:resident_id>/record/<int:fact_id>/removal")
@allow("staff", scope="branch")
def take_out_fact(resident_id: int, fact_id: int) -> Answer:
    """Take one of these out again."""
    with database().reading() as db:
        _reachable(db, resident_id)
    database().transact(facts.take_out, resident_id, fact_id)
    flash(_("已删掉。"), "ok")
    return redirect(url_for(".of_resident", resident_id=resident_id, _anchor="record"), 303)


@blueprint.get("/staff/residents/<int:resident_id>/extract.pdf")
@allow("staff", scope="branch")
def extract_pdf(resident_id: int) -> Response:
    """Give the record as an extract, which is called no certificate."""
    with database().reading() as db:
        resident = _reachable(db, resident_id)
        made = _draft(db, resident, request.args.to_dict())
    looking.note_export(resident, "record")
    data = sheet("服务记录摘录", [paper.extract(made, public_url())])
    return pdf_response("sheet", data, f"record-{resident.number}.pdf", clock.now())


@blueprint.get("/staff/residents/<int:resident_id>/record.<any(csv, json):form>")
@allow("staff", scope="branch")
def record_file(resident_id: int, form: str) -> Response:
    """Give a resident's whole service record as a file, for them to take along."""
    with database().reading() as db:
        resident = _reachable(db, resident_id)
        answer = record_answer(db, resident, form)
    looking.note_export(resident, "record")
    return answer


def record_answer(db: Connection, resident: Resident, form: str) -> Response:
    """Return the hand-over file in one of its two forms."""
    made = service.draft(db, resident, EVER, clock.today(), "", "")
    found = records.read_record(db, resident, EVER, clock.today())
    noted = facts.list_facts(db, resident.resident_id)
    if form == "csv":
        return csv_response(list(handover.as_rows(made.person, found, noted)), f"record-{resident.number}.csv")
    text = json.dumps(handover.as_json(made.person, found, noted, made.total_minutes), ensure_ascii=False, indent=1)
    answer = Response(text, mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="record-{resident.number}.json"'
    return answer


def copy_of(certificate: Certificate) -> Response:
    """Enter a copy into the register and return it as paper. Raises: CertificateVoid, CertificateForgotten."""
    number = database().transact(service.note_copy, certificate.certificate_id, "pdf", actor=actor())
    data = paper.certificate(certificate, public_url(), number, is_english=language() == "en")
    return pdf_response("certificate", data, f"{certificate.number}.pdf", certificate.issued_at)


def _resident_page(resident_id: int, given: dict[str, str], errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        resident = _reachable(db, resident_id)
        found = queries.list_of_resident(db, resident_id)
        noted = facts.list_facts(db, resident_id)
        names = actor_names(db, {actor()})
        given.setdefault("handler", names.get(actor(), ""))
        try:
            made = _draft(db, resident, given)
        except PeriodBackwards as refusal:
            errors = errors or {"first": [problems.sentence(refusal)]}
            made = _draft(db, resident, {"handler": given["handler"]})
    return render_template(
        "certificates/resident.html",
        resident=resident,
        certificates=found,
        noted=noted,
        fact_kinds=facts.KINDS,
        made=made,
        given=given | {"first": given.get("first") or f"{made.first}", "last": given.get("last") or f"{made.last}"},
        errors=errors,
        stars=values.stars(made.total_minutes),
        may_write=current().has("staff"),
    )


def _draft(db: Connection, resident: Resident, given: dict[str, str]) -> Draft:
    """Return what a certificate of the days that were typed would say; of the whole record where none were."""
    first = _day(given.get("first"), resident.joined_on)
    last = _day(given.get("last"), clock.today())
    return service.draft(db, resident, first, last, given.get("handler", ""), given.get("contact", ""))


def _day(text: str | None, otherwise: date) -> date:
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError:
        raise PeriodBackwards() from None


def _page(certificate_id: int, errors: dict[str, list[str]] | None = None) -> str:
    with database().reading() as db:
        certificate = queries.get_certificate(db, certificate_id)
        resident = _reachable(db, certificate.resident_id)
        copies = queries.list_copies(db, certificate_id)
        actors = {certificate.issued_by, certificate.voided_by or "", *(copy.made_by for copy in copies), actor()}
        names = actor_names(db, {one for one in actors if one})
        successor = queries.get_certificate(db, certificate.corrected_by) if certificate.corrected_by else None
        changed = service.has_changed(db, certificate, resident)
    said: dict[str, Any] | None = certificate.said if certificate.content else None
    return render_template(
        "certificates/show.html",
        certificate=certificate,
        said=said,
        resident=resident,
        copies=copies,
        names=names,
        me=names.get(actor(), ""),
        successor=successor,
        changed=changed,
        errors=errors,
        check_url=f"{public_url()}/v/{certificate.token}",
        may_write=current().has("staff"),
    )


def _refused(certificate_id: int, refusal: MoralBankError) -> tuple[str, int]:
    errors = in_words(refusal) or {"reason": [problems.sentence(refusal)]}
    return _page(certificate_id, errors), refusal.status


def _check_reach(certificate_id: int) -> None:
    with database().reading() as db:
        _reachable(db, queries.get_certificate(db, certificate_id).resident_id)


def _reachable(db: Connection, resident_id: int) -> Resident:
    """Return a resident of the reader's branches; why they are looked at is written down first."""
    resident = get_resident(db, resident_id)
    within(resident.branch_id)
    looking.look_at(resident)
    return resident
