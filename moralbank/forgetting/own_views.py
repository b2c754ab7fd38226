"""One's own right to a copy of one's data."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response

from moralbank.forgetting.copying import own_copy
from moralbank.residents.errors import UnknownResident
from moralbank.residents.queries import get_resident
from moralbank.web.auth import allow, current
from moralbank.web.db import database

blueprint = Blueprint("own_data", __name__, url_prefix="/me/profile")


@blueprint.get("/data.json")
@allow("resident", scope="self")
def download() -> Response:
    """Give the resident everything that the bank holds about them, as one file."""
    resident_id = current().resident_id
    if resident_id is None:
        raise UnknownResident()
    with database().reading() as db:
        resident = get_resident(db, resident_id)
        text = json.dumps(own_copy(db, resident), ensure_ascii=False, indent=1, default=_spell)
    response = Response(text, content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="my-data-{resident.number}.json"'
    response.cache_control.no_store = True
    return response


def _spell(value: Any) -> str:
    """Spell times, days and ids as ISO and hexadecimal have them; what is a digest as its digits."""
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
