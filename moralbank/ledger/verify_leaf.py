"""Holds an entry's columns against its leaf: spells the leaf anew from them, and names what differs where it does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from moralbank.ledger import leaf
from moralbank.ledger.values import Unit
from moralbank.ledger.verify_rows import EntryRow, LegRow

_UNIT_NAMES = {int(unit): f'"{name}"' for unit, name in leaf.UNIT_NAMES.items()}
_UNITS = {name: int(unit) for unit, name in leaf.UNIT_NAMES.items()}
_COMMITMENT = re.compile(rb'"m":"[0-9a-f]{64}",')


def is_as_spelled(book: int, row: EntryRow, legs: Sequence[LegRow]) -> bool:
    """Tell whether the leaf is, byte for byte, what the columns say, so that no cell and no byte was altered.

    Whoever's private part is gone was forgotten: then the leaf may commit to anything.
    """
    try:
        head, tail = _spelled(book, row, legs)
        if row.salt is not None and row.content is not None:
            made = f'{head}"m":"{leaf.commitment(row.salt, row.content)}",{tail}'
            return made.encode() == row.leaf
        first, last = head.encode(), tail.encode()
    except (TypeError, KeyError, ValueError, AttributeError):
        return False  # A cell holds what no column of its kind can.
    if row.leaf == first + last:
        return True
    middle = row.leaf[len(first) : -len(last)]
    return row.leaf == first + middle + last and _COMMITMENT.fullmatch(middle) is not None


def _spelled(book: int, row: EntryRow, legs: Sequence[LegRow]) -> tuple[str, str]:
    """Return the leaf before and after its commitment.

    Numbers are spelled by repr, and texts are quoted even where they are always plain: a cell that was altered to
    hold a piece of JSON must not pass for two.
    """
    branch = "" if row.branch is None else f'"br":{row.branch!r},'
    grade = "" if row.grade is None else f'"grade":{quoted(row.grade)},'
    rule = source = ""
    if row.rule_code is not None or row.rule_version is not None:
        rule = f'"rule":[{quoted(row.rule_code)},{row.rule_version!r}],'  # type: ignore[arg-type]
    if row.source_kind is not None or row.source_id is not None:
        source = f'"src":[{quoted(row.source_kind)},{quoted(row.source_id)}],'  # type: ignore[arg-type]
    checker = "" if row.checker is None else f'"ok":{quoted(row.checker)},'
    reverses = "" if row.reverses is None else f'"rev":{quoted(row.reverses)},'
    head = (
        f'{{"at":{quoted(row.at)},"book":{book!r},{branch}"by":{quoted(row.actor)},{grade}"id":{quoted(row.entry_id)},'
        f'"kind":{quoted(row.kind)},"legs":[{",".join(_spelled_legs(legs))}],'
    )
    return head, f'{checker}"on":{quoted(row.on)},{reverses}{rule}"seq":{row.seq!r},{source}"v":{leaf.VERSION}}}'


def _spelled_legs(legs: Sequence[LegRow]) -> Iterator[str]:
    for place, (_, leg, account, unit, amount, n, balance, expires_on, is_same) in enumerate(legs):
        if leg != place or not is_same:
            raise ValueError("a leg is not where it belongs")
        until = "" if expires_on is None else f',"x":{quoted(expires_on)}'
        if n is None and balance is None:
            yield f'{{"a":{account!r},"d":{amount!r},"u":{_UNIT_NAMES[unit]}{until}}}'
        else:
            yield f'{{"a":{account!r},"b":{balance!r},"d":{amount!r},"n":{n!r},"u":{_UNIT_NAMES[unit]}{until}}}'


def read(row: EntryRow) -> dict[str, Any]:
    """Return the leaf's fields; raise ValueError, KeyError or TypeError when it isn't one."""
    fields = json.loads(row.leaf)
    if leaf.canonical(fields) != row.leaf or fields["v"] != leaf.VERSION:
        raise ValueError("not canonical")
    leaf.legs_of(fields)
    return dict(fields)


def stated_legs(fields: dict[str, Any]) -> list[LegRow]:
    """Return the legs that a leaf states; raise TypeError when one states no whole numbers."""
    legs = [
        LegRow(fields["seq"], place, leg["a"], _UNITS[leg["u"]], leg["d"], leg.get("n"), leg.get("b"), None, True)
        for place, leg in enumerate(fields["legs"])
    ]
    for leg in legs:
        if {type(leg.account), type(leg.amount), type(leg.n), type(leg.balance_after)} - {int, type(None)}:
            raise TypeError("a leg states what is no whole number")
    return legs


def differences(book: int, row: EntryRow, legs: Sequence[LegRow], fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what differs between the columns and the leaf, and how."""
    stands = {
        "book": book,
        "id": row.entry_id,
        "seq": row.seq,
        "kind": row.kind,
        "by": row.actor,
        "at": row.at,
        "on": row.on,
        "br": row.branch,
        "src": None if (row.source_kind, row.source_id) == (None, None) else [row.source_kind, row.source_id],
        "rule": None if (row.rule_code, row.rule_version) == (None, None) else [row.rule_code, row.rule_version],
        "grade": row.grade,
        "rev": row.reverses,
        "ok": row.checker,
    }
    for name, value in stands.items():
        if fields.get(name) != value:
            yield "the entry differs from its leaf", f"{name}: {value!r}"
    if [_fields_of(leg) for leg in legs] != fields["legs"] or [leg.leg for leg in legs] != list(range(len(legs))):
        yield "the postings differ from the leaf", f"{len(legs)} legs"
    if not all(leg.is_same for leg in legs):
        yield "a posting's number or instant differs from its entry's", ""
    if row.salt is not None and row.content is not None:
        if leaf.commitment(row.salt, row.content) != fields.get("m"):
            yield "the private part is not the one committed to", ""
    elif not re.fullmatch(r"[0-9a-f]{64}", fields.get("m", "0" * 64)):
        yield "the leaf bytes are damaged", "m"


def _fields_of(leg: LegRow) -> dict[str, Any]:
    name = leaf.UNIT_NAMES[Unit(leg.unit)] if leg.unit in _UNIT_NAMES else leg.unit
    fields: dict[str, Any] = {"a": leg.account, "u": name, "d": leg.amount}
    if leg.n is not None or leg.balance_after is not None:
        fields |= {"n": leg.n, "b": leg.balance_after}
    if leg.expires_on is not None:
        fields["x"] = leg.expires_on
    return fields
