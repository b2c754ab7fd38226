"""The check-in desk: a scanner that types, a number, or a photo; one big result per scan; undo; the live count."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from threading import Lock
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from moralbank import clock, ids
from moralbank.access.deeds import Kind, Reason
from moralbank.activities import checkin, offline, photos, queries, verdicts, wording
from moralbank.activities.answers import Answer
from moralbank.activities.cards import NUMBER_DIGITS, read_code
from moralbank.activities.checkin import Scan
from moralbank.activities.errors import BadPicture, UnknownScan
from moralbank.activities.schemas import DeskScan
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Direction, Means, Session
from moralbank.activities.wording import Said
from moralbank.branches.queries import get_branch
from moralbank.errors import Invalid
from moralbank.residents.queries import residents_by_id
from moralbank.web import looking, problems
from moralbank.web.auth import actor, allow, current
from moralbank.web.db import database
from moralbank.web.forms import in_words, read_form
from moralbank.web.i18n import gettext as _

blueprint = Blueprint("desk", __name__, url_prefix="/staff/desk")

PHOTOS_PER_MINUTE = 60
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_lock = Lock()
_photo_times: dict[int, deque[float]] = defaultdict(deque)


@blueprint.get("/<int:session_id>")
@allow("staff", scope="branch")
def desk(session_id: int) -> str:
    """Show the desk of a session."""
    session = session_in_scope(session_id)
    with database().reading() as db:
        shown = len({scan.resident_id for scan in queries.list_last_scans(db, session_id)})
    if shown:
        looking.note_many(Kind.LIST, shown, f"session:{session_id}", branch_id=session.activity.branch_id)
    return _page(session, None, None)


@blueprint.post("/<int:session_id>")
@allow("staff", scope="branch")
def scan(session_id: int) -> str | tuple[str, int]:
    """Count a card or a number that was scanned or typed. The answer is in the page, good or bad."""
    session = session_in_scope(session_id)
    try:
        given = read_form(DeskScan)
    except Invalid as refusal:
        return _page(session, None, None, in_words(refusal)), refusal.status
    code = "".join(given["code"].split())
    return _count(session, code, _means(code, given["typed"]), given)


@blueprint.post("/<int:session_id>/photo")
@allow("staff", scope="branch")
def photo(session_id: int) -> str | tuple[str, int]:
    """Count the card in a photo. The photo is read in memory and not kept."""
    session = session_in_scope(session_id)
    given = read_form(DeskScan)
    wait = _wait_seconds(current().login_id)
    if wait:
        return _page(session, Answer(verdicts.LOCKED, session, facts={"seconds": wait}), None)
    upload = request.files.get("photo")
    try:
        text = photos.read_photo(upload.stream.read(photos.MAX_BYTES + 1) if upload else b"")
    except BadPicture as refusal:
        return _page(session, None, None, {"photo": [problems.sentence(refusal)]}), refusal.status
    if text is None:
        return _page(session, Answer(verdicts.UNREADABLE, session), None)
    return _count(session, text, Means.DESK_PHOTO, given)


@blueprint.post("/<int:session_id>/undo")
@allow("staff", scope="branch")
def undo(session_id: int) -> Response:
    """Take back the last scan of a person."""
    session_in_scope(session_id)
    try:
        checkin_id = int(request.form.get("checkin_id", ""))
    except ValueError:
        raise UnknownScan() from None
    undone = database().transact(checkin.undo, session_id, checkin_id, actor=actor())
    way = _("签到") if undone.direction is Direction.IN else _("签退")
    flash(_("已撤销这一次%(way)s。", way=way), "ok")
    return redirect(url_for("desk.desk", session_id=session_id), 303)


def _nonce(given: str) -> str:
    """Return the key of a scan: a phone's own is the same when it comes again in a batch, whoever is signed in then."""
    if _UUID.fullmatch(given):
        return offline.nonce_of(given)
    return f"desk:{current().login_id}:{given or ids.token(16)}"


def _means(code: str, typed: str) -> Means:
    """Return how a code came in: by the camera, by a scanner that types, or by hand."""
    if typed == "hand" or len(code) == NUMBER_DIGITS:
        return Means.DESK_DIGITS
    return Means.DESK_PHOTO if typed == "camera" else Means.DESK_CARD


def _count(session: Session, code: str, means: Means, given: dict[str, Any]) -> str | tuple[str, int]:
    """Find whose code this is and count the scan."""
    with database().reading() as db:
        book_id = get_branch(db, session.activity.branch_id).book_id
        found = read_code(db, code, book_id)
    if isinstance(found, Answer):
        return _page(session, found, None)
    reason = given["reason"].strip()
    if given["override"] and not reason:
        return _page(session, None, None, {"reason": [_("请写明为什么不按时间签到。")]}), 422
    scan = Scan(
        session_id=session.session_id,
        resident_id=found,
        means=means,
        nonce=_nonce(given["nonce"]),
        actor=actor(),
        direction=Direction(given["direction"]) if given["direction"] else None,
        override=reason if given["override"] else None,
    )
    return _page(session, database().join(checkin.check_in_many, scan), found)


def _page(
    session: Session, answer: Answer | None, resident_id: int | None, errors: dict[str, list[str]] | None = None
) -> str:
    with database().reading() as db:
        branch = get_branch(db, session.activity.branch_id)
        last = queries.list_last_scans(db, session.session_id)
        count = queries.count_present(db, session.session_id)
        wanted = {scan.resident_id for scan in last} | ({resident_id} if resident_id else set())
        people = residents_by_id(db, wanted)
    if resident_id and resident_id in people:
        looking.look_at(people[resident_id], Reason.SESSION, about=f"session:{session.session_id}")
    undoable = {}
    for scan in last:
        undoable.setdefault(scan.resident_id, scan.checkin_id)
    said: Said | None = wording.say(answer) if answer else None
    return render_template(
        "activities/desk.html",
        session=session,
        branch=branch,
        last=last,
        people=people,
        undoable=set(undoable.values()),
        count=count,
        answer=answer,
        said=said,
        person=people.get(resident_id) if resident_id else None,
        nonce=ids.token(16),
        errors=errors,
        given=request.form if errors else {},
    )


def _wait_seconds(login_id: int) -> int:
    """Return how long a login must wait before its next photo, 0 when it may send one now."""
    now = clock.now().timestamp()
    with _lock:
        times = _photo_times[login_id]
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= PHOTOS_PER_MINUTE:
            return int(times[0] + 60 - now) + 1
        times.append(now)
        return 0
