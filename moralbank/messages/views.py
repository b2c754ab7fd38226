"""A resident's inbox and what they want on which way, and the inbox at a merchant's till."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank.config import MessagesConfig
from moralbank.errors import Invalid, MoralBankError
from moralbank.messages import queries, service
from moralbank.messages.errors import NoMail, WrongMailboxCode
from moralbank.messages.schemas import CodeIn, MailboxIn
from moralbank.messages.values import KINDS, Channel
from moralbank.messages.wording import CHANNEL_NAMES, words
from moralbank.web import problems
from moralbank.web.auth import allow, current, principal_or_none
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _
from moralbank.web.paging import row_id

blueprint = Blueprint("messages", __name__)

PAGE_ROWS = 30
Answer = str | Response | tuple[str, int]


def count_unread() -> int:
    """Return how many messages wait for the resident who reads; 0 for whoever is none."""
    principal = principal_or_none()
    if principal is None or principal.resident_id is None:
        return 0
    return database().look(queries.count_unread, principal.resident_id)


@blueprint.get("/me/messages")
@allow("resident", scope="self")
def inbox() -> str:
    """Show a resident what they were told. What is shown stays new until they say that they have read it."""
    return _inbox(url_for(".inbox"), resident_id=_me())


@blueprint.post("/me/messages/read")
@allow("resident", scope="self")
def mark_read() -> Response:
    """Note that they have read these."""
    database().transact(service.mark_read, _chosen(), resident_id=_me())
    return redirect(url_for(".inbox"), 303)


@blueprint.get("/counter/messages")
@allow("operator", scope="merchant")
def till_inbox() -> str:
    """Show what one's shop was told."""
    return _inbox(url_for(".till_inbox"), merchant_ids=current().merchant_ids())


@blueprint.post("/counter/messages/read")
@allow("operator", scope="merchant")
def mark_till_read() -> Response:
    """Note that somebody at the till has read these."""
    database().transact(service.mark_read, _chosen(), merchant_ids=current().merchant_ids())
    return redirect(url_for(".till_inbox"), 303)


def _inbox(address: str, **whose: object) -> str:
    before = request.args.get("before", type=row_id)
    with database().reading() as db:
        found = queries.list_messages(db, **whose, before_id=before, limit=PAGE_ROWS + 1)  # type: ignore[arg-type]
    page = found[:PAGE_ROWS]
    return render_template(
        "messages/inbox.html",
        messages=[(message, words(message.kind, message.facts), KINDS[message.kind].path) for message in page],
        unread=[message.message_id for message in page if message.read_at is None],
        is_till="merchant_ids" in whose,
        next_url=f"{address}?before={page[-1].message_id}" if len(found) > PAGE_ROWS else None,
        first_url=address if before else None,
    )


@blueprint.get("/me/messages/settings")
@allow("resident", scope="self")
def settings() -> str:
    """Show on which ways messages come, and what is wanted on each."""
    return _settings()


@blueprint.post("/me/messages/settings")
@allow("resident", scope="self")
def choose() -> Response:
    """Take what a resident wants on which way."""
    shown = [(channel, kind) for kind in _kinds() for channel in KINDS[kind].channels]
    unwanted = [(channel, kind) for channel, kind in shown if f"{channel}:{kind}" not in request.form.getlist("want")]
    database().transact(service.choose, _me(), unwanted)
    flash(_("已记下。收件箱里仍然什么都有。"), "ok")
    return redirect(url_for(".settings"), 303)


@blueprint.post("/me/messages/mailbox")
@allow("resident", scope="self")
def ask_mailbox() -> Answer:
    """Take an address and send a code there."""
    try:
        given = read_form(MailboxIn)
        if not MessagesConfig.from_env().smtp_host:
            raise NoMail()
        database().transact(service.ask_mailbox, _me(), _branch(), given["address"])
    except MoralBankError as refusal:
        return _refused(refusal, "address")
    flash(_("验证码已发往 %(address)s，一两分钟就到。", address=given["address"]), "ok")
    return redirect(url_for(".settings"), 303)


@blueprint.post("/me/messages/mailbox/confirm")
@allow("resident", scope="self")
def confirm_mailbox() -> Answer:
    """Take the code that came."""
    try:
        given = read_form(CodeIn)
        if not database().transact(service.confirm_mailbox, _me(), given["code"]):
            raise WrongMailboxCode()
    except MoralBankError as refusal:
        return _refused(refusal, "code")
    flash(_("邮箱已确认，以后的消息也会发到这里。"), "ok")
    return redirect(url_for(".settings"), 303)


@blueprint.post("/me/messages/mailbox/drop")
@allow("resident", scope="self")
def drop_mailbox() -> Response:
    """Send no more e-mail."""
    database().transact(service.drop_mailbox, _me())
    flash(_("邮箱已删除，以后不再发邮件。"), "ok")
    return redirect(url_for(".settings"), 303)


def _settings(**said: object) -> str:
    config = MessagesConfig.from_env()
    ways = [Channel.EMAIL] if config.smtp_host else []
    ways += [Channel(name) for name in config.gateway_channels]
    with database().reading() as db:
        mailbox = queries.find_mailbox(db, _me())
        unwanted = {(channel, kind) for _who, channel, kind in queries.list_optouts(db, [_me()])}
    return render_template(
        "messages/settings.html",
        ways=ways,
        way_names=CHANNEL_NAMES,
        kinds={name: KINDS[name] for name in _kinds()},
        mailbox=mailbox,
        unwanted=unwanted,
        quiet_hours=config.quiet_hours.replace("-", "–"),
        errors=said.get("errors"),
        given=request.form if said else {},
    )


def _refused(refusal: MoralBankError, field: str) -> Answer:
    is_invalid = isinstance(refusal, Invalid) and bool(refusal.errors)
    errors = in_words(refusal) if is_invalid else {field: [problems.sentence(refusal)]}
    return _settings(errors=errors), refusal.status


def _kinds() -> list[str]:
    return [name for name, kind in KINDS.items() if not (kind.is_hidden or kind.is_of_merchants or kind.is_of_staff)]


def _chosen() -> list[int]:
    return request.form.getlist("id", type=row_id)[:PAGE_ROWS]


def _me() -> int:
    resident_id = current().resident_id
    assert resident_id is not None, "a resident's role is held by a resident's login only"
    return resident_id


def _branch() -> int:
    branch_id = next((grant.branch_id for grant in current().grants if grant.role == "resident"), None)
    assert branch_id is not None, "a resident's role is held at their branch"
    return branch_id
