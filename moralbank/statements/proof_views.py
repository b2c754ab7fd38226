"""What a resident holds: the file of a month, the page that proves it, and the proof of a single line."""

from __future__ import annotations

import json
from datetime import date

from flask import Blueprint, Response, render_template, url_for
from sqlalchemy import Connection

from moralbank import clock
from moralbank.behalf import acting
from moralbank.ledger import Unit
from moralbank.proofs import queries as proofs
from moralbank.proofs import wording
from moralbank.proofs.views import public_url, trusted
from moralbank.residents.queries import Resident, get_resident
from moralbank.statements import files, queries
from moralbank.statements.checking import Checked, checked
from moralbank.statements.errors import NoAccount, UnknownLine
from moralbank.statements.values import Owner, read_month
from moralbank.statements.wording import shown_line
from moralbank.web import pictures
from moralbank.web.auth import allow, current
from moralbank.web.db import database
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import ngettext

blueprint = Blueprint("statement_proofs", __name__)


@blueprint.get("/me/statement/<month>.json")
@allow("resident", scope="self", for_family=True)
def own_file(month: str) -> Response:
    """Give a month of one's own account as a file that proves itself."""
    with database().reading() as db:
        resident, owner = _own(db)
        file = files.statement_file(db, owner, read_month(month))
    text = json.dumps(file, ensure_ascii=False, separators=(",", ":"))
    answer = Response(text, mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="statement-{resident.number}-{month}.json"'
    return answer


@blueprint.get("/me/statement/<month>/proof")
@allow("resident", scope="self", for_family=True)
def own_proof(month: str) -> str:
    """Say in one sentence what is proven of a month of one's own account, and let the browser check it."""
    with database().reading() as db:
        _resident, owner = _own(db)
        found = checked(db, owner, read_month(month))
    return render_template(
        "statements/proof.html",
        month=read_month(month),
        found=found,
        sentence=sentence(found, read_month(month)),
        more=_more(found),
        said=said(found),
        file=url_for(".own_file", month=month),
        back=url_for("statements.own_statement", month=month),
        count_word=wording.count_word,
    )


@blueprint.get("/me/passbook/<any(points, minutes):unit>/<int:n>")
@allow("resident", scope="self", for_family=True)
def own_line(unit: str, n: int) -> str:
    """Show one line of one's own with its proof: what a slip says, for whoever lost it."""
    in_unit = Unit.POINTS if unit == "points" else Unit.MINUTES
    with database().reading() as db:
        _resident, owner = _own(db)
        page = queries.passbook(db, owner, in_unit, n + 1)
        line = next((line for line in page.lines if line.number == n), None)
        if line is None:
            raise UnknownLine(n=n)
        slip = proofs.find_slip(db, owner.book, line.entry_id, owner.account, in_unit, public_url())
    return render_template(
        "statements/line.html",
        line=shown_line(line),
        unit=unit,
        slip=slip,
        picture=pictures.link_svg(slip.seal.url) if slip else None,
        month=clock.local(line.posted_at).strftime("%Y-%m"),
    )


def sentence(found: Checked, month: date) -> str:
    """Say what is proven of a month, in one sentence; empty when it isn't."""
    proven = found.proven
    if proven is None:
        return ""
    said = {"month": wording.month_word(month), "n": proven.entries, "balance": proven.balance}
    if not proven.entries:
        return _("您%(month)s没有变动，余额%(balance)s分。", **said)
    if found.signed is None or proven.waiting == proven.entries:
        return ngettext(
            "您%(month)s的%(n)s笔还没有封存；一笔不少，余额%(balance)s分。",
            "您%(month)s的%(n)s笔都还没有封存；一笔不少，余额%(balance)s分。",
            **said,
        )
    said["book"] = wording.signed_by(found.signed)
    if proven.waiting:
        said |= {"sealed": proven.entries - proven.waiting, "waiting": proven.waiting}
        return ngettext(
            "您%(month)s的%(n)s笔里，%(sealed)s笔在%(book)s里，还有%(waiting)s笔没有封存；一笔不少，余额%(balance)s分。",
            "您%(month)s的%(n)s笔里，%(sealed)s笔在%(book)s里，其余%(waiting)s笔没有封存；一笔不少，余额%(balance)s分。",
            **said,
        )
    return ngettext(
        "您%(month)s的%(n)s笔在%(book)s里，一笔不少，余额%(balance)s分。",
        "您%(month)s的%(n)s笔都在%(book)s里，一笔不少，余额%(balance)s分。",
        **said,
    )


def _more(found: Checked) -> str:
    late = _("没有封存的，记账后两分钟内封存，到时再看这一页。") if found.proven and found.proven.waiting else ""
    return " ".join(filter(None, (late, wording.reservation(found.signed) if found.signed else "")))


def said(found: Checked) -> str:
    """Return what the browser holds against the file that it downloads, as JSON."""
    if found.proven is None:
        return "{}"
    facts = {
        "month": found.file["month"],
        "account": found.file["account"],
        "count": found.proven.entries,
        "balance": found.proven.balance,
        "waiting": found.proven.waiting,
        "offices": len(found.proven.offices),
    }
    if found.trust is None or found.signed is None:
        return json.dumps(facts | {"origin": "", "keys": [], "witnesses": []})
    return json.dumps(facts | trusted(found.trust, found.signed.checkpoint.size))


def _own(db: Connection) -> tuple[Resident, Owner]:
    if current().resident_id is None:
        raise NoAccount()
    resident = get_resident(db, acting.person_id())
    return resident, queries.owner_of_resident(db, resident)
