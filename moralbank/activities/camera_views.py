"""The camera at the door: a phone sends frames, and is told what code it sees. Counting is the desk's business."""

from __future__ import annotations

import math
from time import monotonic
from typing import Any

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
def frame(session_id: int) -> Response | tuple[Any, int] | tuple[Any, int, dict[str, str]]:
    """Answer with the code in a frame, or with nothing. The frame is read in memory and not kept."""
    wait = _pace.wait_seconds(current().session_id or 0, monotonic())
    if wait:
        return "", 429, {"Retry-After": str(math.ceil(wait))}
    session_in_scope(session_id)
    if (request.content_length or 0) > decoding.MAX_BYTES:
        raise BadFrame()
    text = decoding.read_frame(request.stream.read(decoding.MAX_BYTES + 1))
    return ("", 204) if text is None else jsonify(code=text)
