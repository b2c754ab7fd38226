"""Operations that exist only in tests: they write rows of a table of their own, refuse, and break."""

from __future__ import annotations

import threading
from typing import Any

import sqlalchemy as sa
from flask import Flask
from marshmallow import Schema, fields, validate
from sqlalchemy import Connection

from moralbank.errors import Conflict, NotFound, Refused
from moralbank.web.api import ApiBlueprint
from moralbank.web.auth import allow
from moralbank.web.paging import Page, Paging

metadata = sa.MetaData()
trials = sa.Table(
    "trials",
    metadata,
    sa.Column("trial_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("name", sa.String(20), nullable=False),
    sa.Column("weight", sa.BigInteger, nullable=False),
)

#: Where several threads meet inside an operation, so that their transactions overlap where the engine lets them.
meeting = threading.Barrier(1)


class NotToday(Refused):
    code = "not-today"
    sentence = "{name} 今天不行。"


class TrialPart(Schema):
    size = fields.Integer(required=True, validate=validate.Range(0, 9))


class TrialIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 20))
    weight = fields.Integer(load_default=0, validate=validate.Range(-(2**53) + 1, 2**53 - 1))
    heavy = fields.Boolean()
    parts = fields.List(fields.Nested(TrialPart), validate=validate.Length(max=3))


class TrialQuery(Schema):
    name = fields.String(validate=validate.Length(1, 20))


class TrialOut(Schema):
    trial_id = fields.Integer(required=True)
    name = fields.String(required=True)
    weight = fields.Integer(required=True)


blueprint = ApiBlueprint("trials", __name__, description="Only in tests.")


@blueprint.reads("/trials", TrialOut, query=TrialQuery, paged=True)
@allow("staff", scope="branch", token="branches:read")
def list_trials(db: Connection, *, query: dict[str, Any], page: Paging) -> Page:
    """List the trials."""
    found = sa.select(trials).order_by(trials.c.trial_id).limit(page.limit + 1)
    if page.after is not None:
        found = found.where(trials.c.trial_id > page.after)
    if "name" in query:
        found = found.where(trials.c.name == query["name"])
    return page.of(db.execute(found).all(), key=lambda trial: trial.trial_id)


@blueprint.reads("/trials/<int:trial_id>", TrialOut)
@allow("staff", scope="branch", token="branches:read")
def get_trial(db: Connection, *, trial_id: int) -> Any:
    """Show one trial."""
    row = db.execute(sa.select(trials).where(trials.c.trial_id == trial_id)).first()
    if row is None:
        raise NotFound()
    return row


def keep_refusal(db: Connection, refusal: Refused, *, body: dict[str, Any], key: str) -> None:
    db.execute(trials.insert().values(name=f"no {body['name']}", weight=0))


@blueprint.writes("/trials/kept", TrialOut, body=TrialIn, refusals=[NotToday], on_refused=keep_refusal)
@allow("staff", scope="branch", token="awards:write")
def refuse_trial(db: Connection, *, body: dict[str, Any], key: str) -> Any:
    """Refuse every trial, but write down that it was."""
    db.execute(trials.insert().values(name=body.pop("name"), weight=0))
    raise NotToday(name="kept")


@blueprint.writes("/trials", TrialOut, body=TrialIn, max_bytes=2_000, refusals=[NotToday])
@allow("staff", scope="branch", token="awards:write")
def create_trial(db: Connection, *, body: dict[str, Any], key: str) -> Any:
    """Make a trial, unless its name says otherwise."""
    row = db.execute(trials.insert().values(name=body["name"], weight=body["weight"]).returning(trials)).one()
    meeting.wait(10)
    match body["name"]:
        case "refused":
            raise NotToday(name="refused")
        case "missing":
            raise NotFound()
        case "broken":
            raise RuntimeError("the trial's own fault")
    return row


@blueprint.writes("/trials/only", TrialOut, body=TrialIn, status=200)
@allow("staff", scope="branch", token="awards:write")
def create_only_trial(db: Connection, *, body: dict[str, Any], key: str) -> Any:
    """Make the first trial; whoever finds one already there is told so without a decision."""
    if db.execute(sa.select(sa.func.count()).select_from(trials)).scalar():
        raise Conflict()
    return db.execute(trials.insert().values(name=body["name"], weight=0).returning(trials)).one()


@blueprint.writes("/trials/<int:trial_id>", None, method="DELETE", status=204)
@allow("staff", scope="branch", token="awards:write")
def delete_trial(db: Connection, *, trial_id: int, key: str) -> None:
    """Remove a trial."""
    db.execute(trials.delete().where(trials.c.trial_id == trial_id))


@blueprint.writes("/trials/files", TrialOut, media=["text/csv"])
@allow("staff", scope="branch", token="awards:write")
def send_trials(db: Connection, *, body: bytes, key: str) -> Any:
    """Make a trial as heavy as a file."""
    return db.execute(trials.insert().values(name="file", weight=len(body)).returning(trials)).one()


def make_table(database_url: str) -> None:
    """Create the table as the schema's owner."""
    engine = sa.create_engine(database_url)
    metadata.create_all(engine)
    engine.dispose()


def add_to(app: Flask) -> None:
    """Open the operations."""
    app.extensions["flask-smorest"]["apis"][""]["ext_obj"].register_blueprint(blueprint)
