"""Commands of witnesses: for who keeps one, on any machine and without a database, and for the bank they witness."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import IO

import click
from sqlalchemy.engine import Connection

from moralbank import clock
from moralbank.config import database_url
from moralbank.db import Database
from moralbank.logbook import queries, service
from moralbank.logbook.errors import UnknownWitness
from moralbank.logbook.queries import Witness
from moralbank.transparency import Log, cosignature, note, witness_files, witnessing
from moralbank.transparency.witness_files import Witness as KeptWitness
from moralbank.transparency.witness_server import WitnessServer

_PLACE = click.argument("place", type=click.Path(file_okay=False, path_type=Path))
_BOOK = click.option("--book", "code", required=True, help="Code of the book, for example SJL-01.")
_READ, _WRITE = click.File("rb"), click.File("wb")


@click.group("witness")
def witness() -> None:
    """Witnesses of the books' logs.

    init, show, trust, sign and serve are for who keeps a witness: PLACE is its own directory and no database is needed.
    The others are for the bank.
    """


@witness.command("init")
@_PLACE
@click.option("--name", required=True, help="Its name for ever, for example street.example/witness.")
def init(place: Path, name: str) -> None:
    """Make a witness in PLACE with a new key of its own, and print the line that the bank registers."""
    click.echo(witness_files.found(place, name).key)


@witness.command("show")
@_PLACE
def show(place: Path) -> None:
    """Print the verifier key of the witness in PLACE, and what it signed last."""
    kept = KeptWitness(place)
    click.echo(kept.key)
    for origin, trusted in sorted(kept.logs().items()):
        at = f"{datetime.fromtimestamp(trusted.time, clock.TIMEZONE):%Y-%m-%d %H:%M:%S}" if trusted.time else "never"
        click.echo(f"{origin}  size {trusted.size}  root {note.encode64(trusted.root)}  {at}")
        for key in trusted.keys:
            click.echo(f"  {key}")


@witness.command("trust")
@_PLACE
@click.argument("key")
@click.option("--also", is_flag=True, help="Take a further key of a log that is watched already.")
def trust(place: Path, key: str, also: bool) -> None:
    """Watch the log whose verifier key is KEY (the bank shows it at /log/BOOK/keys). Check it with the bank first."""
    trusted = KeptWitness(place).trust(note.parse_verifier_key(key.strip()), also=also)
    click.echo(f"{trusted.origin}: {len(trusted.keys)} key(s), signed up to size {trusted.size}")


@witness.command("sign")
@_PLACE
@click.argument("request", type=_READ, default="-")
@click.option("-o", "--output", type=_WRITE, default="-", help="Where the signed checkpoint goes.")
@click.option("--line", "only_line", is_flag=True, help="Write the signature line alone, as the HTTP service answers.")
def sign(place: Path, request: IO[bytes], output: IO[bytes], only_line: bool) -> None:
    """Sign the checkpoint of a request file (or standard input), if it continues what was signed before."""
    data = request.read()
    line = KeptWitness(place).add_checkpoint(data)
    signed = witnessing.parse(data).note.with_signatures([line])
    output.write(f"{line}\n".encode() if only_line else signed.encode())


@witness.command("serve")
@_PLACE
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8100, show_default=True)
def serve(place: Path, host: str, port: int) -> None:
    """Answer POST /add-checkpoint over HTTP until Ctrl-C (C2SP tlog-witness). TLS is the proxy's in front of it."""
    try:
        server = WitnessServer(place, host, port)
    except OSError as error:
        sys.exit(f"moralbank: can't listen on {host}:{port} ({error.strerror})")
    click.echo(f"{server.witness.key}\nanswers at {server.address}", err=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        server.server_close()


@witness.command("request")
@_BOOK
@click.option("--access", is_flag=True, help="Of the log of deeds, not of the entries.")
@click.option("--for", "name", help="The name of a registered witness: go on from what it signed last.")
@click.option("--since", type=click.IntRange(0), help="The size that the witness signed last; 0 for the first time.")
@click.option("-o", "--output", type=_WRITE, default="-", help="Where the request goes, for example a USB stick.")
def request_file(code: str, access: bool, name: str | None, since: int | None, output: IO[bytes]) -> None:
    """Write the latest checkpoint of a book as a request for a witness that signs files."""
    log = Log.ACCESS if access else Log.LEDGER
    with _database().reading() as db:
        book = queries.get_book(db, code).book_id
        if since is None:
            since = queries.signed_last(db, _named(db, book, name), log) if name else 0
        output.write(queries.witness_request(db, book, log, since).encode())


@witness.command("accept")
@click.argument("file", type=_READ, default="-")
@_BOOK
def accept(file: IO[bytes], code: str) -> None:
    """Take in what a witness signed by file, and print it."""
    database = _database()
    with database.reading() as db:
        book = queries.get_book(db, code).book_id
    for kept in database.transact(service.accept, book, file.read()):
        click.echo(f"{kept.log.name.lower()} log, size {kept.size}: signed by {kept.name}")


@witness.command("add")
@click.argument("key")
@_BOOK
@click.option("--title", required=True, help="What people call it: an office, never a person.")
@click.option("--url", help="Where it answers; nothing for one that signs files.")
def add(key: str, code: str, title: str, url: str | None) -> None:
    """Register the witness whose verifier key is KEY. Check it with its keeper first."""
    database = _database()
    with database.reading() as db:
        book = queries.get_book(db, code).book_id
    added = database.transact(service.add_witness, book, key, title, url, actor=service.SYSTEM)
    click.echo(f"{added.name} ({added.title}) witnesses {code}")


@witness.command("retire")
@click.argument("name")
@_BOOK
def retire(name: str, code: str) -> None:
    """Let the witness NAME go; what it signed stays."""
    database = _database()
    with database.reading() as db:
        book = queries.get_book(db, code).book_id
        witness_id = _named(db, book, name).witness_id
    database.transact(service.retire_witness, book, witness_id, actor=service.SYSTEM)
    click.echo(f"{name} witnesses {code} no more")


@witness.command("policy")
@_BOOK
@click.argument("policy", required=False)
def policy(code: str, policy: str | None) -> None:
    """Print how many witnesses must have signed, or set it: moralbank witness policy --book SJL-01 "2 of 3"."""
    database = _database()
    with database.reading() as db:
        book = queries.get_book(db, code).book_id
        known = queries.policy_of(db, book)
    if policy is not None:
        needed = cosignature.parse_policy(policy, known.keys).needed
        known = database.transact(service.set_policy, book, needed, actor=service.SYSTEM)
    click.echo(known)


@witness.command("list")
@_BOOK
def list_all(code: str) -> None:
    """Print the witnesses of a book, and what each signed last."""
    with _database().reading() as db:
        book = queries.get_book(db, code).book_id
        found = queries.list_witnesses(db, book)
        rounds = queries.list_rounds(db, [each.witness_id for each in found])
        click.echo(f"policy {queries.policy_of(db, book)}")
    for each in found:
        click.echo(f"{each.title}  {each.url or 'by file'}\n  {each.verifier_key}")
        for log in Log:
            last = rounds.get((each.witness_id, log))
            if last is not None:
                click.echo(f"  {log.name.lower()} log: size {last.known_size}, {last.outcome}")


def _named(db: Connection, book: int, name: str) -> Witness:
    found = queries.find_witness(db, book, name)
    if found is None:
        raise UnknownWitness()
    return found


def _database() -> Database:
    return Database(database_url(os.environ))


commands = (witness,)
