"""The floors over HTTP: a Flask route that does one INSERT and one UPDATE, and one that says hello."""

from __future__ import annotations

import os

import sqlalchemy as sa
from flask import Flask, Response, jsonify, request

from scripts.bench_floor import Plain

app = Flask(__name__)
_plain = Plain(os.environ["DATABASE_URL"])
_INSERT = sa.text("INSERT INTO bare_charges (account, points) VALUES (:account, :points)")
_UPDATE = sa.text("UPDATE bare_purses SET balance = balance - :points WHERE account = :account")


@app.post("/charge")
def charge() -> tuple[Response, int]:
    body = request.get_json()
    given = {"account": body["account"], "points": body["points"]}
    with _plain.writing() as db:
        db.execute(_INSERT, given)
        db.execute(_UPDATE, given)
    return jsonify(points=body["points"]), 201


@app.get("/hello")
def hello() -> str:
    return "hello"
