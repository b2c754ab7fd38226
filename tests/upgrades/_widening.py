"""What a step of the schema takes away from the code that ran before it: nothing, unless it says so.

A step that takes something away on purpose, after a release whose code no longer uses it, names it in a module constant
`CONTRACTS`, in the very words that `narrowed` finds for it.
"""

from __future__ import annotations

from collections import defaultdict
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
    constraints = _constraints(inspector)
    return {
        table: Shape(
            {
                column["name"]: (str(column["type"]), bool(column["nullable"]), column["default"] is not None)
                for column in columns
            },
            frozenset(constraints[table]),
            frozenset(name for of, name in triggers if of == table),
            frozenset(right for of, right in rights if of == table),
        )
        for (_, table), columns in inspector.get_multi_columns().items()
    }


def _constraints(inspector: sa.Inspector) -> dict[str, list[str]]:
    """Return keys and checks in words by table: asked for all tables at once, since there are a hundred and more."""
    found: dict[str, list[str]] = defaultdict(list)
    for (_, table), key in inspector.get_multi_pk_constraint().items():
        found[table].append(f"key on {', '.join(key['constrained_columns'])}")
    for (_, table), uniques in inspector.get_multi_unique_constraints().items():
        found[table] += [f"unique {', '.join(unique['column_names'])}" for unique in uniques]
    for (_, table), indexes in inspector.get_multi_indexes().items():
        found[table] += [f"unique {', '.join(map(str, one['column_names']))}" for one in indexes if one["unique"]]
    for (_, table), checks in inspector.get_multi_check_constraints().items():
        found[table] += [f"check {check['name']}: {check['sqltext']}" for check in checks]
    for (_, table), foreign in inspector.get_multi_foreign_keys().items():
        found[table] += [
            f"{', '.join(key['constrained_columns'])} refers to {key['referred_table']}" for key in foreign
        ]
    return found


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
