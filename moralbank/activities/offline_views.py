"""What the desk's phone needs without a network: a worker, a shell, a roster, a key, and where its scans go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import marshmallow as ma
from flask import Blueprint, Response, current_app, jsonify, render_template, request
from flask_wtf.csrf import generate_csrf

from moralbank import clock, ids
from moralbank.access.deeds import Kind
from moralbank.activities import devices, offline, snapshot
from moralbank.activities.offline import Batch, Kept
from moralbank.activities.offline_schemas import BatchIn, DeviceIn
from moralbank.activities.staff_views import session_in_scope
from moralbank.activities.values import Direction
from moralbank.branches.queries import get_branch, list_branches_under
from moralbank.errors import Invalid
from moralbank.web import bodies, looking
from moralbank.web.auth import actor, allow, scope_paths
from moralbank.web.db import database

blueprint = Blueprint("offline", __name__, url_prefix="/staff")

SIGNATURE = "X-Device-Signature"


@blueprint.get("/worker.js")
@allow("staff", scope="branch")
def worker() -> Response:
    """Give the service worker, whose reach is what lies beside its address: staff's pages."""
    assert current_app.static_folder is not None, "the application has a static folder"
    text = Path(current_app.static_folder, "worker.js").read_text(encoding="utf-8")
    return Response(text, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})


@blueprint.get("/desk/<int:session_id>/offline")
@allow("staff", scope="branch")
def shell(session_id: int) -> str:
    """Show the desk as a phone keeps it: nobody's name is on it."""
    session = session_in_scope(session_id)
    with database().reading() as db:
        branch = get_branch(db, session.activity.branch_id)
    return render_template(
        "activities/desk.html", session=session, branch=branch, last=[], people={}, undoable=set(), count=0,
        answer=None, said=None, person=None, nonce=ids.token(16), errors=None, given={}, is_shell=True,
    )  # fmt: skip


@blueprint.get("/desk/<int:session_id>/roster")
@allow("staff", scope="branch")
def roster(session_id: int) -> Response:
    """Give a phone the roster that nobody reads without a card."""
    session = session_in_scope(session_id)
    with database().reading() as db:
        made = snapshot.make_snapshot(db, session, [session.activity.branch_id])
    looking.note_many(Kind.EXPORT, len(made.entries), f"session:{session_id}", branch_id=session.activity.branch_id)
    return jsonify(
        session_id=made.session_id, salt=made.salt, expires_at=made.expires_at.isoformat(), entries=made.entries
    )


@blueprint.get("/scans/ready")
@allow("staff", scope="branch")
def ready() -> Response:
    """Tell a phone that there is a network, and give it the token that its next form must carry."""
    return jsonify(csrf_token=generate_csrf(), now=clock.now().isoformat())


@blueprint.post("/devices/register")
@allow("staff", scope="branch")
def register() -> Response:
    """Write a phone down by its public key."""
    given = _loaded(DeviceIn)
    session = session_in_scope(given["session_id"])
    device = database().transact(
        devices.register,
        given["key"],
        name=request.headers.get("User-Agent", ""),
        branch_id=session.activity.branch_id,
        actor=actor(),
    )
    return jsonify(device_id=device.device_id)


@blueprint.post("/scans")
@allow("staff", scope="branch")
def batch() -> Response:
    """Take in what a phone kept; every scan that is answered here may leave the phone."""
    given = _loaded(BatchIn)
    with database().reading() as db:
        device = devices.get_device(db, given["device_id"])
        reach = {branch.branch_id for branch in list_branches_under(db, scope_paths())}
    devices.check_signature(device, request.get_data(), request.headers.get(SIGNATURE, ""))
    scans = [_kept(item) for item in given["scans"]]
    taken = database().transact(offline.take_batch, Batch(device, given["sent_at"], scans), reach, actor=actor())
    return jsonify(items=[{"nonce": one.nonce, "state": one.state, "cause": one.cause} for one in taken])


def _kept(item: dict[str, Any]) -> Kept:
    return Kept(**item | {"direction": Direction(item["direction"]) if item["direction"] else None})


def _loaded(schema: type[ma.Schema]) -> dict[str, Any]:
    """Return the JSON body as the schema loads it. Raises (in the order checked): NotJson, MalformedJson, Invalid."""
    body = bodies.read_json(request)
    try:
        loaded: dict[str, Any] = schema(unknown=ma.RAISE).load(body)
    except ma.ValidationError as error:
        raise Invalid({"body": [str(error.normalized_messages())]}) from None
    if not bodies.is_storable(repr(body)):
        raise Invalid()
    return loaded
