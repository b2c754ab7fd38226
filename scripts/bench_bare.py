"""The floor of the HTTP measurement: a Flask route that does one INSERT and one UPDATE and nothing else."""

from __future__ import annotations

import os

import sqlalchemy as sa
from flask import Flask, Response, jsonify, request

from moralbank.db import Database

database = Database(os.environ["DATABASE_URL"])
app = Flask(__name__)
INSERT = sa.text("INSERT INTO bare_charges (account, points) VALUES (:account, :points)")
UPDATE = sa.text("UPDATE bare_purses SET balance = balance - :points WHERE account = :account")


def _charge(db: sa.Connection, account: int, points: int) -> None:
    db.execute(INSERT, {"account": account, "points": points})
    db.execute(UPDATE, {"account": account, "points": points})


@app.post("/charge")
def charge() -> tuple[Response, int]:
    body = request.get_json()
    database.transact(_charge, body["account"], body["points"])
    return jsonify(points=body["points"]), 201
