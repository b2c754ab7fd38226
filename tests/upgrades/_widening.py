"""What a step of the schema takes away from the code that ran before it: nothing, unless it says so.

A step that takes something away on purpose, after a release whose code no longer uses it, names it in a module constant
`CONTRACTS`, in the very words that `narrowed` finds for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from moralbank import guards
from moralbank.db import APP_ROLE

_GRANTS = """
SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = :role
"""


@dataclass(frozen=True)
class Shape:
    """What code can notice of a table: columns, keys and checks, triggers, and the service's rights."""

    columns: dict[str, tuple[str, bool, bool]]
    constraints: frozenset[str]
    triggers: frozenset[str]
    rights: frozenset[str]


def shapes(db: Connection) -> dict[str, Shape]:
    inspector = sa.inspect(db)
    triggers = [name.split(".") for name in guards.digests(db)]
    rights = [] if db.dialect.name == "sqlite" else db.execute(sa.text(_GRANTS), {"role": APP_ROLE}).all()
    return {
        table: Shape(
            {
                column["name"]: (str(column["type"]), bool(column["nullable"]), column["default"] is not None)
                for column in inspector.get_columns(table)
            },
            frozenset(_constraints(inspector, table)),
            frozenset(name for of, name in triggers if of == table),
            frozenset(right for of, right in rights if of == table),
        )
        for table in inspector.get_table_names()
    }


def _constraints(inspector: sa.Inspector, table: str) -> Iterator[str]:
    yield f"key on {', '.join(inspector.get_pk_constraint(table)['constrained_columns'])}"
    for unique in inspector.get_unique_constraints(table):
        yield f"unique {', '.join(unique['column_names'])}"
    for index in inspector.get_indexes(table):
        if index["unique"]:
            yield f"unique {', '.join(map(str, index['column_names']))}"
    for check in inspector.get_check_constraints(table):
        yield f"check {check['name']}: {check['sqltext']}"
    for foreign in inspector.get_foreign_keys(table):
        yield f"{', '.join(foreign['constrained_columns'])} refers to {foreign['referred_table']}"


def narrowed(before: dict[str, Shape], after: dict[str, Shape]) -> list[str]:
    """Name everything that code which worked before may now stumble over."""
    found = []
    for table, old in before.items():
        new = after.get(table)
        found += [f"{table} is gone"] if new is None else [f"{table}: {what}" for what in _narrowed(old, new)]
    return found


def _narrowed(old: Shape, new: Shape) -> Iterator[str]:
    for name, (kind, nullable, _) in old.columns.items():
        if name not in new.columns:
            yield f"{name} is gone"
            continue
        new_kind, new_nullable, _ = new.columns[name]
        if kind != new_kind:
            yield f"{name} was {kind} and is {new_kind}"
        if nullable and not new_nullable:
            yield f"{name} can't be empty any more"
    for name in new.columns.keys() - old.columns.keys():
        _, nullable, has_default = new.columns[name]
        if not nullable and not has_default:
            yield f"{name} is new, needed, and old code doesn't give it"
    for what in sorted(new.constraints - old.constraints):
        yield f"new: {what}"
    for what in sorted(old.constraints - new.constraints):
        yield f"no longer: {what}"
    for name in sorted(new.triggers - old.triggers):
        yield f"new trigger {name}"
    for right in sorted(old.rights - new.rights):
        yield f"no longer granted: {right}"
