"""What acting for somebody is called on pages."""

from __future__ import annotations

from moralbank.behalf.values import Basis, Scope
from moralbank.errors import N_
from moralbank.web.i18n import gettext as _

SCOPES = {"may_check_in": N_("代为签到"), "may_pay": N_("代为付款"), "may_read": N_("看积分和存折")}
BASES = {
    Basis.PIN: N_("本人输入密码同意"),
    Basis.WORD: N_("本人用一次性口令同意"),
    Basis.GUARDIAN: N_("登记的监护人"),
    Basis.PAPER: N_("纸质同意书"),
}


def scope_words(scope: Scope) -> list[str]:
    """Return what somebody may do for another, in the reader's language."""
    return [_(word) for name, word in SCOPES.items() if getattr(scope, name)]


def basis_word(basis: Basis) -> str:
    """Return by what the person agreed, in the reader's language."""
    return _(BASES[basis])
