"""Balance and lines of an account on the API's short way; moralbank.reports.api is the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from typing import Any
from urllib.parse import parse_qsl

from moralbank import clock, ledger
from moralbank.prepared import Question, Row
from moralbank.reports import queries
from moralbank.reports.schemas import UNITS
from moralbank.web.bodies import LARGEST_WHOLE
from moralbank.web.front_reads import Found, Reading
from moralbank.web.paging import DEFAULT_LIMIT, MAX_LIMIT, Paging, link

_LIMIT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Asked:
    account: int
    unit: str
    limit: int
    #: The query's filters as they were given.
    arguments: tuple[tuple[str, str], ...]

    @property
    def book(self) -> int:
        return ledger.book_of(self.account)


def _read(match: re.Match[str], query: str, *, is_paged: bool) -> _Asked | None:
    """Return what a query that is beyond doubt asks."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        return None
    given = dict(pairs)
    limit = given.pop("limit", str(DEFAULT_LIMIT)) if is_paged else str(DEFAULT_LIMIT)
    account = int(match[1])
    is_plain = (
        len(dict(pairs)) == len(pairs)
        and given.keys() <= {"unit"}
        and given.get("unit", "points") in UNITS
        and _LIMIT.fullmatch(limit)
        and int(limit) <= MAX_LIMIT
        and account <= LARGEST_WHOLE
    )
    return _Asked(account, given.get("unit", "points"), int(limit), tuple(given.items())) if is_plain else None


def _read_balance(match: re.Match[str], query: str) -> _Asked | None:
    return _read(match, query, is_paged=False)


def _asking_balance(asked: _Asked) -> Sequence[Question[Any]]:
    balance = ledger.asking_balance(asked.book, asked.account, UNITS[asked.unit])
    return queries.asking_places(asked.account), balance


def _show_balance(found: Found) -> bytes | None:
    places, row = found.answers
    if row is None or not row[0].is_guarded or not queries.is_seen(found.paths, places):
        return None
    asked: _Asked = found.item
    told = {
        "account": asked.account,
        "unit": asked.unit,
        "balance": row[1],
        "n": row[2],
        "as_of": clock.now().isoformat(),
    }
    return _json(told)


def _read_lines(match: re.Match[str], query: str) -> _Asked | None:
    return _read(match, query, is_paged=True)


def _asking_lines(asked: _Asked) -> Sequence[Question[Any]]:
    lines = ledger.asking_shown(asked.book, asked.account, UNITS[asked.unit], limit=asked.limit + 1)
    return queries.asking_places(asked.account), lines


def _show_lines(found: Found) -> bytes | None:
    places, lines = found.answers
    if not lines or not queries.is_seen(found.paths, places):
        return None
    asked: _Asked = found.item
    paging = Paging(asked.limit)
    page = paging.of(lines, _seq)
    following = link(found.secret_key, found.url_path, asked.arguments, page, paging, {"unit": asked.unit})
    items = ",".join([_spell(line) for line in page.items])
    return f'{{"items":[{items}],"next":{"null" if following is None else _quoted(following)}}}'.encode()


def _seq(line: Row) -> int:
    seq: int = line[1]
    return seq


def _spell(line: Row) -> str:
    """Spell a line as LineOut does; twenty times for each look, so all in one piece."""
    entry_id, seq, n, amount, balance, kind, posted_at, occurred_on, actor, checker, grade, reverses, reversed_by = line
    return (
        f'{{"entry_id":"{entry_id}","seq":{seq},"n":{"null" if n is None else n},"amount":{amount},'
        f'"balance_after":{"null" if balance is None else balance},"kind":"{kind}","posted_at":"{posted_at}",'
        f'"occurred_on":"{occurred_on}","actor":{_quoted(actor)},'
        f'"checker":{"null" if checker is None else _quoted(checker)},'
        f'"grade":{"null" if grade is None else _quoted(grade)},'
        f'"reverses":{"null" if reverses is None else _quoted(reverses)},'
        f'"reversed_by":{"null" if reversed_by is None else _quoted(reversed_by)}}}'
    )


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


BALANCE = Reading(
    rule="/api/v1/accounts/<int:account>/balance",
    path=re.compile(r"/api/v1/accounts/([1-9][0-9]{0,15})/balance", re.ASCII),
    roles=("staff", "auditor"),
    scope="audit:read",
    read=_read_balance,
    asking=_asking_balance,
    show=_show_balance,
)
LINES = Reading(
    rule="/api/v1/accounts/<int:account>/lines",
    path=re.compile(r"/api/v1/accounts/([1-9][0-9]{0,15})/lines", re.ASCII),
    roles=("staff", "auditor"),
    scope="audit:read",
    read=_read_lines,
    asking=_asking_lines,
    show=_show_lines,
)
