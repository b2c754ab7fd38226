"""The page of earning rules that everybody may read, and the form with which an administrator adopts a version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock
from moralbank.access.queries import EVERYWHERE
from moralbank.earning import service
from moralbank.earning.errors import UnknownRule
from moralbank.earning.queries import list_adoptions, list_rules
from moralbank.earning.schemas import NewVersion
from moralbank.earning.values import Basis, CapBasis, Rule
from moralbank.errors import N_, Invalid, Refused
from moralbank.web import problems
from moralbank.web.auth import actor, allow, current, principal_or_none, public, within
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.i18n import language

blueprint = Blueprint("earning", __name__, url_prefix="/rules")

BASIS_WORDS = {
    Basis.PER_HOUR: N_("每小时 %(points)s 分，满 %(step)s 分钟起记"),
    Basis.PER_SESSION: N_("每场 %(points)s 分"),
    Basis.PER_TIME: N_("每次 %(points)s 分"),
    Basis.PER_DAY_HOUSEHOLD: N_("每户每天 %(points)s 分"),
    Basis.PER_KG: N_("每公斤 %(points)s 分"),
    Basis.ONCE: N_("一次 %(points)s 分"),
}
CAP_WORDS = {
    CapBasis.MINUTES_PER_DAY: N_("每天最多 %(n)s 分钟"),
    CapBasis.TIMES_PER_DAY: N_("每天最多 %(n)s 次"),
    CapBasis.TIMES_PER_MONTH: N_("每月最多 %(n)s 次"),
    CapBasis.TIMES_EVER: N_("只有 %(n)s 次"),
    CapBasis.POINTS_PER_WEEK_HOUSEHOLD: N_("每户每周最多 %(n)s 分"),
}


@blueprint.app_template_global("rule_label")
def rule_label(rule: Rule) -> str:
    """Return a rule's category in the reader's language."""
    return rule.category_en if language() == "en" else rule.category_zh


@blueprint.app_template_global("rule_gives")
def rule_gives(rule: Rule) -> str:
    """Say in words what a rule gives."""
    return _(BASIS_WORDS[rule.basis], points=rule.points, step=rule.step_minutes)


@blueprint.app_template_global("rule_ends")
def rule_ends(rule: Rule) -> str:
    """Say in words where a rule ends; nothing when it has no cap of its own."""
    return _(CAP_WORDS[rule.cap_basis], n=rule.cap_value) if rule.cap_basis else ""


@blueprint.get("")
@public
def show_all() -> str:
    """Show what earns how many points today, and what is going to change."""
    today = clock.today()
    with database().reading() as db:
        rules = list_rules(db, today)
        coming = [rule for rule in list_rules(db) if rule.effective_from > today]
    principal = principal_or_none()
    is_staff = principal is not None and principal.has("staff", "auditor", "admin")
    layout = "staff" if is_staff else "resident" if principal else "plain"
    return render_template("earning/rules.html", layout=layout, rules=rules, coming=coming)


@blueprint.get("/<rule_code>")
@allow("staff", "auditor", "admin", scope="book")
def show(rule_code: str) -> str:
    """Show every version of one rule with its consultation, and to an administrator the form for the next."""
    return _page(rule_code, {}, {})


@blueprint.post("/<rule_code>")
@allow("admin", scope="book")
def adopt(rule_code: str) -> Response | tuple[str, int]:
    """Adopt the next version of a rule, for the whole bank, from today or a later day on."""
    within(None)
    try:
        given = read_form(NewVersion)
        consultation = given.pop("consultation")
        with database().reading() as db:
            last = _versions(list_adoptions(db, rule_code))[-1].rule
        if last.cap_basis is None:
            given["cap_value"] = None
        rule = replace(last, version=last.version + 1, **given)
        database().transact(service.adopt_rule, rule, actor=actor(), consultation=consultation)
    except Invalid as refusal:
        errors = in_words(refusal) or {"effective_from": [problems.sentence(refusal)]}
        return _page(rule_code, request.form.to_dict(), errors), refusal.status
    except Refused as refusal:
        return _page(
            rule_code, request.form.to_dict(), {"effective_from": [problems.sentence(refusal)]}
        ), refusal.status
    flash(
        _(
            "%(code)s 第 %(version)s 版已通过，%(day)s起生效。",
            code=rule_code,
            version=rule.version,
            day=rule.effective_from,
        )
    )
    return redirect(url_for("earning.show", rule_code=rule_code))


def _page(code: str, given: dict[str, Any], errors: dict[str, list[str]]) -> str:
    with database().reading() as db:
        adoptions = _versions(list_adoptions(db, code))
    may_adopt = current().covers(EVERYWHERE, "admin")
    last = adoptions[-1].rule
    return render_template(
        "earning/rule.html", adoptions=adoptions, last=last, given=given, errors=errors, may_adopt=may_adopt
    )


def _versions(adoptions: list[Any]) -> list[Any]:
    if not adoptions:
        raise UnknownRule
    return adoptions
