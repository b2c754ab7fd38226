"""A resident's own certificates, and the record that they are made of."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template
from sqlalchemy import Connection

from moralbank import clock
from moralbank.certificates import facts, queries, service, values
from moralbank.certificates.errors import UnknownCertificate
from moralbank.certificates.queries import Certificate
from moralbank.certificates.views import EVER, copy_of, record_answer
from moralbank.proofs.views import public_url
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import Resident, get_resident
from moralbank.web.auth import allow, current
from moralbank.web.db import database

blueprint = Blueprint("own_certificates", __name__)


@blueprint.get("/me/certificates")
@allow("resident", scope="self")
def show_all() -> str:
    """Show one's own certificates, what a new one would lack, and where to get it."""
    with database().reading() as db:
        resident = _oneself(db)
        made = service.draft(db, resident, EVER, clock.today(), "—", "—")
        found = queries.list_of_resident(db, resident.resident_id)
        noted = facts.list_facts(db, resident.resident_id)
    return render_template(
        "certificates/own.html",
        certificates=found,
        noted=noted,
        fact_kinds=facts.KINDS,
        made=made,
        stars=values.stars(made.total_minutes),
    )


@blueprint.get("/me/certificates/<int:certificate_id>.pdf")
@allow("resident", scope="self")
def own_pdf(certificate_id: int) -> Response:
    """Give a copy of one's own certificate as paper."""
    with database().reading() as db:
        certificate = _own(db, certificate_id)
    return copy_of(certificate)


@blueprint.get("/me/certificates/<int:certificate_id>.json")
@allow("resident", scope="self")
def own_file(certificate_id: int) -> Response:
    """Give one's own certificate as a file that is checked without the bank, with the public key."""
    with database().reading() as db:
        certificate = _own(db, certificate_id)
    said = {"fields": certificate.said, "token": certificate.token, "keys": f"{public_url()}/v/keys"}
    answer = Response(json.dumps(said, ensure_ascii=False, indent=1), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{certificate.number}.json"'
    return answer


@blueprint.get("/me/record.<any(csv, json):form>")
@allow("resident", scope="self")
def own_record(form: str) -> Response:
    """Give one's own whole service record as a file."""
    with database().reading() as db:
        return record_answer(db, _oneself(db), form)


def _own(db: Connection, certificate_id: int) -> Certificate:
    certificate = queries.get_certificate(db, certificate_id)
    if certificate.resident_id != current().resident_id:
        raise UnknownCertificate()
    return certificate


def _oneself(db: Connection) -> Resident:
    resident_id = current().resident_id
    if resident_id is None:
        raise UnknownResident()
    return get_resident(db, resident_id)
