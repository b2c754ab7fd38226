"""Statements for many at once: each of a set finds what it would find alone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from moralbank.db import Database, metadata
from moralbank.prepared import Change, Prepared, Question, all_rows, ask

_scraps = sa.Table(
    "test_scraps",
    sa.MetaData(naming_convention=metadata.naming_convention),
    sa.Column("rank", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("text", sa.String(40)),
    sa.Column("octets", sa.LargeBinary),
    sa.Column("day", sa.Date),
)
_ADD = Prepared(
    lambda insert: (
        insert(_scraps)
        .values({column.name: sa.bindparam(column.name) for column in _scraps.c})
        .on_conflict_do_nothing()
    )
)
_text, _least = sa.bindparam("text"), sa.bindparam("least")
LOOKS = {
    "plain": sa.select(_scraps.c.rank, _scraps.c.day).where(_scraps.c.text == _text, _scraps.c.rank >= _least),
    "in order": sa.select(_scraps.c.rank)
    .where(_scraps.c.text == _text, _scraps.c.rank >= _least)
    .order_by(_scraps.c.rank.desc()),
    "the first": sa.select(_scraps.c.rank)
    .where(_scraps.c.text == _text, _scraps.c.rank >= _least)
    .order_by(_scraps.c.rank)
    .limit(1),
    "summed": sa.select(sa.func.count(), sa.func.max(_scraps.c.rank)).where(
        _scraps.c.text == _text, _scraps.c.rank >= _least
    ),
    "with a constant": sa.select(_scraps.c.rank).where(
        _scraps.c.text == _text, _scraps.c.rank >= _least, _scraps.c.rank != 4
    ),
}
TEXTS = ["a", "王桂英", 'quo"te', "back\\slash", ":text", "%(text)s", "", "12", "nobody's", "a"]


@pytest.fixture
def scraps(database: Database) -> Database:
    with database.engine.begin() as db:
        if not database.is_sqlite:
            db.exec_driver_sql("RESET ROLE")
        _scraps.create(db)
        rows = [
            {"rank": place, "text": text, "octets": bytes([place]), "day": None}
            for place, text in enumerate([*TEXTS[:8], *TEXTS[:8]])
        ]
        assert ask(db, Change(_ADD, rows)) == [16]
        assert ask(db, Change(_ADD, [rows[3], rows[4] | {"rank": 99, "text": None}])) == [1], "one was there before"
        if not database.is_sqlite:
            db.exec_driver_sql("GRANT ALL ON test_scraps TO PUBLIC")
            db.exec_driver_sql("SET ROLE moralbank_app")
    return database


@pytest.mark.parametrize("name", LOOKS)
def test_each_of_a_set_finds_what_it_finds_alone(scraps: Database, name: str) -> None:
    look = Prepared(LOOKS[name])
    many = [{"text": text, "least": place} for place, text in enumerate([*TEXTS, None])]
    with scraps.reading() as db:
        [together] = ask(db, Question(look, many, list))
        alone = [look.all(db, **given) for given in many]
    assert together == alone
    assert all_rows(together), "something was found"


def test_octets_are_found_by_sets_too(scraps: Database) -> None:
    look = Prepared(sa.select(_scraps.c.rank).where(_scraps.c.octets == sa.bindparam("octets")))
    with scraps.reading() as db:
        [found] = ask(db, Question(look, [{"octets": bytes([place])} for place in (7, 200, 2)], list))
    assert found == [[(7,)], [], [(2,)]]
