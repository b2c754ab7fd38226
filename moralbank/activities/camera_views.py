"""The camera at the door: a phone sends frames, and is told what code it sees. Counting is the desk's business."""

from __future__ import annotations

import math
from time import monotonic

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from moralbank.activities import decoding
from moralbank.activities.errors import BadFrame
from moralbank.activities.staff_views import session_in_scope
from moralbank.web.auth import allow, current

blueprint = Blueprint("camera", __name__, url_prefix="/staff/desk")

_pace = decoding.Pace()


@blueprint.post("/<int:session_id>/frame")
@allow("staff", scope="branch")
def frame(session_id: int) -> Response:
    """Answer with the code in a frame, or with nothing."""
    session_in_scope(session_id)
    return decoded(current().session_id or 0)


def decoded(phone: int) -> Response:
    """Answer the frame in the request, which is read in memory and not kept, as often as a phone may ask.

    Raises: BadFrame.
    """
    wait = _pace.wait_seconds(phone, monotonic())
    if wait:
        return Response("", 429, {"Retry-After": str(math.ceil(wait))})
    if (request.content_length or 0) > decoding.MAX_BYTES:
        raise BadFrame()
    text = decoding.read_frame(request.stream.read(decoding.MAX_BYTES + 1))
    return Response("", 204) if text is None else jsonify(code=text)
