"""The inbox of who works for the bank, and whether it also goes to them by e-mail."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from moralbank.branches.queries import list_branches_under
from moralbank.config import MessagesConfig
from moralbank.errors import Invalid, MoralBankError
from moralbank.messages import queries, service
from moralbank.messages.errors import NoMail, WrongMailboxCode
from moralbank.messages.schemas import CodeIn, MailboxIn
from moralbank.messages.values import KINDS
from moralbank.messages.wording import words
from moralbank.web import problems
from moralbank.web.auth import allow, current, principal_or_none
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("staff_inbox", __name__, url_prefix="/staff/inbox")

PAGE_ROWS = 30
ROLES = ("staff", "auditor", "admin")
Answer = str | Response | tuple[str, int]


def count_unread() -> int:
    """Return how many messages wait for the reader's own login; 0 for whoever doesn't work for the bank."""
    principal = principal_or_none()
    if principal is None or not principal.has(*ROLES):
        return 0
    return database().look(queries.count_unread_of_login, principal.login_id)


@blueprint.get("")
@allow(*ROLES, scope="self")
def show() -> str:
    """Show what one's login was told. What is shown stays new until its reader says that they have read it."""
    return _show()


@blueprint.post("/read")
@allow(*ROLES, scope="self")
def mark_read() -> Response:
    """Note that the reader has read these."""
    chosen = request.form.getlist("id", type=row_id)[:PAGE_ROWS]
    database().transact(service.mark_read, chosen, login_id=current().login_id)
    return redirect(url_for(".show"), 303)


@blueprint.post("/mailbox")
@allow(*ROLES, scope="self")
def ask_mailbox() -> Answer:
    """Take an address and send a code there."""
    try:
        given = read_form(MailboxIn)
        if not MessagesConfig.from_env().smtp_host:
            raise NoMail()
        database().transact(_ask, given["address"])
    except MoralBankError as refusal:
        return _refused(refusal, "address")
    flash(_("验证码已发往 %(address)s，一两分钟就到。", address=given["address"]), "ok")
    return redirect(url_for(".show"), 303)


def _ask(db: Connection, address: str) -> None:
    principal = current()
    home = list_branches_under(db, principal.paths(*ROLES))[0]
    service.ask_mailbox(db, None, home.branch_id, address, login_id=principal.login_id)


@blueprint.post("/mailbox/confirm")
@allow(*ROLES, scope="self")
def confirm_mailbox() -> Answer:
    """Take the code that came."""
    try:
        given = read_form(CodeIn)
        if not database().transact(service.confirm_mailbox, None, given["code"], login_id=current().login_id):
            raise WrongMailboxCode()
    except MoralBankError as refusal:
        return _refused(refusal, "code")
    flash(_("邮箱已确认，以后的消息也会发到这里。"), "ok")
    return redirect(url_for(".show"), 303)


@blueprint.post("/mailbox/drop")
@allow(*ROLES, scope="self")
def drop_mailbox() -> Response:
    """Send no more e-mail."""
    database().transact(service.drop_mailbox, None, login_id=current().login_id)
    flash(_("邮箱已删除，以后不再发邮件。"), "ok")
    return redirect(url_for(".show"), 303)


def _show(**said: object) -> str:
    before, me = request.args.get("before", type=row_id), current().login_id
    with database().reading() as db:
        found = queries.list_messages(db, login_id=me, before_id=before, limit=PAGE_ROWS + 1)
        mailbox = queries.find_mailbox(db, None, login_id=me)
    page = found[:PAGE_ROWS]
    return render_template(
        "messages/staff_inbox.html",
        messages=[(message, words(message.kind, message.facts), KINDS[message.kind].path) for message in page],
        unread=[message.message_id for message in page if message.read_at is None],
        mailbox=mailbox,
        has_mail=bool(MessagesConfig.from_env().smtp_host),
        errors=said.get("errors"),
        given=request.form if said else {},
        next_url=url_for(".show", before=page[-1].message_id) if len(found) > PAGE_ROWS else None,
        first_url=url_for(".show") if before else None,
    )


def _refused(refusal: MoralBankError, field: str) -> Answer:
    is_invalid = isinstance(refusal, Invalid) and bool(refusal.errors)
    errors = in_words(refusal) if is_invalid else {field: [problems.sentence(refusal)]}
    return _show(errors=errors), refusal.status
