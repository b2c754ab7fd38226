"""Pages of bounded lists: a limit, and a signed cursor that only continues the list it came from."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import current_app, request
from itsdangerous import BadData, URLSafeSerializer

from moralbank.web.errors import CursorInvalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_CHARACTERS = 1024


#: As many digits as every row's number has, and both databases hold.
_ROW_DIGITS = 15


def row_id(text: str) -> int:
    """Return the number of a row as an address or a form names it: for `args.get(name, type=row_id)`.

    Raises: ValueError for anything else, and for a number that a database could not even look for.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _ROW_DIGITS):
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list in order, and the position of the last of them when more follow."""

    items: Sequence[Any]
    #: None means that this is the last page.
    last: Any = None


@dataclass(frozen=True, slots=True)
class Paging:
    """What a caller asks of a list: at most `limit` rows, from just behind the position `after`."""

    limit: int
    #: What `key` gave for the last row of the page before; None means from the beginning.
    after: Any = None

    def of(self, rows: Sequence[Any], key: Callable[[Any], Any]) -> Page:
        """Make the page of rows read from `after` on with a limit of `self.limit + 1`.

        `key` gives a row's position as JSON: an int, a text, or a list of these.
        """
        if len(rows) <= self.limit:
            return Page(rows)
        items = rows[: self.limit]
        return Page(items, key(items[-1]))

    def cut(self, rows: Sequence[Any], key: Callable[[Any], Any]) -> Page:
        """Make the page out of a whole short list that is sorted by `key`."""
        start = 0 if self.after is None else bisect_right(rows, self.after, key=key)
        return self.of(rows[start : start + self.limit + 1], key)


def read_cursor(cursor: str | None, query: dict[str, Any]) -> Any:
    """Return the position that a cursor of this very list, with these filters, stands for."""
    if cursor is None:
        return None
    try:
        return _signer(current_app.secret_key, _filters(request.path, query)).loads(cursor)
    except BadData:
        raise CursorInvalid() from None


def next_link(page: Page, paging: Paging, query: dict[str, Any]) -> str | None:
    """Return the path and query of the following page, or None behind the last."""
    arguments = [(name, value) for name, value in request.args.items(multi=True) if name not in ("cursor", "limit")]
    return link(current_app.secret_key, request.path, arguments, page, paging, query)


def link(
    secret_key: str | bytes | None,
    path: str,
    arguments: Sequence[tuple[str, str]],
    page: Page,
    paging: Paging,
    query: dict[str, Any],
) -> str | None:
    """Return what next_link does for a list of this path, asked for with these arguments."""
    if page.last is None:
        return None
    cursor = _cursor(secret_key, _filters(path, query), json.dumps(page.last))
    return f"{path}?{urlencode([*arguments, ('limit', str(paging.limit)), ('cursor', cursor)])}"


def _filters(path: str, query: dict[str, Any]) -> str:
    return json.dumps([path, query], sort_keys=True, default=str)


@lru_cache(maxsize=4096)
def _cursor(secret_key: str | bytes | None, filters: str, last: str) -> str:
    """Sign a position, spelled as JSON. A page that is asked for again has the same cursor, until it changes."""
    return str(_signer(secret_key, filters).dumps(json.loads(last)))


def _signer(secret_key: str | bytes | None, filters: str) -> URLSafeSerializer:
    # The filters are part of the salt: a cursor under other filters would silently skip rows.
    return URLSafeSerializer(secret_key or "", salt=f"cursor {filters}")
