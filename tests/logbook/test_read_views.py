"""Anybody reads the logs and checks them with nothing but what they were given; leaves are for auditors."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from moralbank import ledger
from moralbank.db import Database
from moralbank.logbook import queries, service
from moralbank.logbook.errors import UnknownTile
from moralbank.transparency import Log, checkpoint, cosignature, note, proof, tiles, tree
from moralbank.transparency import queries as logs
from tests._people import make_login, sign_in
from tests.logbook._signed import TITLES, WITNESSES, SignedBook, key_of

KEY = key_of(1, Log.LEDGER)
PUBLIC_PATHS = (
    "checkpoint", "checkpoint/1", "tile/0/000.p/4", "consistency/1/4", "keys", "policy", "access/checkpoint",
    "access/keys", "access/policy", "access/tile/0/000.p/1", "access/facts/1/proof",
)  # fmt: skip


@pytest.fixture
def grown(signed: SignedBook) -> SignedBook:
    """Four entries in checkpoints of sizes 1 and 4, and a deed in one of size 1."""
    signed.award()
    signed.sign()
    signed.award(3)
    signed.sign()
    signed.tell()
    signed.sign(Log.ACCESS)
    return signed


def test_a_checkpoint_opens_with_the_key_that_is_shown(grown: SignedBook, client: FlaskClient):
    answer = client.get("/log/NS-00/checkpoint")
    shown = client.get("/log/NS-00/keys").text.split(" ")[0]
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=2"
    body, _ = checkpoint.open_signed(answer.data, KEY.name, (note.parse_verifier_key(shown),))
    assert body.size == 4
    earlier = client.get("/log/NS-00/checkpoint/1")
    assert checkpoint.read(earlier.data)[0].size == 1
    access, _ = checkpoint.read(client.get("/log/NS-00/access/checkpoint").data)
    assert (access.origin, access.size) == (key_of(1, Log.ACCESS).name, 1)


def test_an_entrys_proof_leads_from_its_leaf_to_the_signed_root(grown: SignedBook, client: FlaskClient):
    posted = grown.award()[0]
    grown.sign()
    answer = client.get(f"/log/NS-00/entries/{posted.entry_id}/proof")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{posted.entry_id}.tlog-proof"'
    shown = proof.parse(answer.data)
    proven = proof.verify(shown, bytes.fromhex(posted.leaf_hash), KEY.name, (KEY.key,), cosignature.NO_WITNESSES)
    assert (proven.body.size, shown.index) == (5, 4)


def test_an_entry_that_is_not_sealed_yet_is_told_when_to_come_again(grown: SignedBook, client: FlaskClient):
    posted = grown.award()[0]
    for _ in ("not integrated", "not signed"):
        answer = client.get(f"/log/NS-00/entries/{posted.entry_id}/proof")
        assert answer.status_code == 425
        assert answer.headers["Retry-After"] == "10"
        assert answer.text.startswith("log-not-sealed-yet: 这一笔已记账")
        grown.seal()
    assert client.get("/log/NS-00/access/facts/2/proof").status_code == 404
    grown.tell()
    assert client.get("/log/NS-00/access/facts/2/proof").status_code == 425


#: What is asked, and how it is refused.
REFUSED = (
    ("/log/nowhere/checkpoint", 404, "log-unknown-book"),
    (f"/log/NS-00/entries/{uuid4()}/proof", 404, "log-unknown-entry"),
    ("/log/NS-00/facts/1/proof", 404, "log-unknown-entry"),
    ("/log/NS-00/facts/0/proof", 404, "log-unknown-entry"),
    ("/log/NS-00/checkpoint/2", 404, "log-size-never-signed"),
    ("/log/NS-00/checkpoint/5", 404, "log-larger-than-signed"),
    ("/log/NS-00/consistency/3/2", 422, "log-sizes-reversed"),
    ("/log/NS-00/consistency/3/9", 404, "log-larger-than-signed"),
    ("/log/NS-00/consistency/0/999999999999999", 404, "log-larger-than-signed"),
    ("/log/NS-00/tile/0/000", 404, "log-unknown-tile"),
    ("/log/NS-00/tile/0/000.p/5", 404, "log-unknown-tile"),
    ("/log/NS-00/tile/0/000.p/04", 404, "log-unknown-tile"),
    ("/log/NS-00/tile/0/0", 404, "log-unknown-tile"),
    ("/log/NS-00/tile/1/000.p/1", 404, "log-unknown-tile"),
    ("/log/NS-00/tile/64/000", 404, "log-unknown-tile"),
    ("/log/NS-00/tile/x/../entries/000.p/4", 404, "log-unknown-tile"),
    ("/log/XX-00/checkpoint", 425, "log-not-signed-yet"),
    ("/log/XX-00/consistency/0/0", 425, "log-not-signed-yet"),
)


def test_each_refusal_is_named(grown: SignedBook, client: FlaskClient):
    for path, status, code in REFUSED:
        answer = client.get(path)
        assert (answer.status_code, answer.text.split(":")[0]) == (status, code), path
        assert answer.content_type == "text/plain; charset=utf-8"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        problem = client.get(path, headers={"Accept": "application/json"})
        assert (problem.status_code, problem.json["code"]) == (status, code), path
        page = client.get(path, headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": "en"})
        assert page.status_code == status, path
        assert "<!doctype html>" in page.text, path


def test_any_two_sizes_are_shown_to_be_one_log(grown: SignedBook, client: FlaskClient, database: Database):
    with database.reading() as db:
        roots = [logs.root_at(db, grown.book, Log.LEDGER, size) for size in range(5)]
    for new in range(5):
        for old in range(new + 1):
            answer = client.get(f"/log/NS-00/consistency/{old}/{new}")
            path = [note.decode64(line) or b"" for line in answer.text.splitlines()]
            assert tree.verify_consistency(old, roots[old], new, roots[new], path)
            as_json = client.get(f"/log/NS-00/consistency/{old}/{new}", headers={"Accept": "application/json"})
            assert as_json.json == {"old": old, "new": new, "hashes": answer.text.splitlines()}


def test_tiles_give_the_leaves_hashes_and_are_kept_for_good(
    signed: SignedBook, client: FlaskClient, database: Database
):
    posted = signed.award(260)
    size = signed.sign()
    hashes = [bytes.fromhex(each.leaf_hash) for each in posted]
    full, partial, above = (client.get(f"/log/NS-00/tile/{p}") for p in ("0/000", "0/001.p/4", "1/000.p/1"))
    assert size == 260
    for answer in (full, partial, above):
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert sorted(tiles.split(full.data) + tiles.split(partial.data)) == sorted(hashes)
    assert above.data == tree.perfect_root(tiles.split(full.data))
    head = client.head("/log/NS-00/tile/0/000")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "8192")
    again = client.get("/log/NS-00/tile/0/000", headers={"If-None-Match": full.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_leaves_are_for_auditors_of_the_whole_book(grown: SignedBook, client: FlaskClient, database: Database):
    def ask(login) -> int:
        if login is not None:
            sign_in(client, login)
        return client.get("/log/NS-00/tile/entries/000.p/4", headers={"Sec-Fetch-Mode": "cors"}).status_code

    assert ask(None) == 401
    for role, place, status in (
        ("auditor", "NS-00", 200), ("staff", "NS-00", 200), ("auditor", "NS-01", 403), ("auditor", "XX-00", 403),
        ("resident", "NS-00", 403),
    ):  # fmt: skip
        branch = grown.branches[place]
        resident = 1 if role == "resident" else None
        assert ask(database.transact(make_login, role, branch, resident_id=resident)) == status, (role, place)
    sign_in(client, database.transact(make_login, "auditor", grown.branches["NS"]))
    answer = client.get("/log/NS-00/tile/entries/000.p/4")
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    assert "Access-Control-Allow-Origin" not in answer.headers
    found, rest = [], answer.data
    while rest:
        length = int.from_bytes(rest[:2], "big")
        found.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    hashes = tiles.split(client.get("/log/NS-00/tile/0/000.p/4").data)
    assert [tree.leaf_hash(leaf) for leaf in found] == hashes
    assert json.loads(found[0])["kind"] == "award"
    assert client.get("/log/NS-00/tile/entries/000").status_code == 404
    assert client.get("/log/NS-00/tile/entries/1/000.p/4").status_code == 404


def test_what_reads_tiles_for_everybody_never_gives_leaves(grown: SignedBook, database: Database):
    with database.reading() as db:
        for read, path in ((queries.read_tile, "tile/entries/000.p/4"), (queries.read_bundle, "tile/0/000.p/4")):
            with pytest.raises(UnknownTile):
                read(db, grown.book, Log.LEDGER, path)
        assert queries.read_tile(db, grown.book, Log.LEDGER, "tile/0/000.p/4")
        assert queries.read_bundle(db, grown.book, Log.LEDGER, "tile/entries/000.p/4")


def test_the_public_parts_may_be_read_from_anywhere_and_set_no_cookie(
    grown: SignedBook, client: FlaskClient, database: Database
):
    sign_in(client, database.transact(make_login, "staff", grown.branches["NS-00"]))
    with client.session_transaction() as cookie:
        cookie.permanent = True  # As the login page makes it: renewed with every answer but these.
    assert "Set-Cookie" in client.get("/log/NS-00").headers
    for path in PUBLIC_PATHS:
        answer = client.get(f"/log/NS-00/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["Access-Control-Allow-Origin"] == "*", path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin", path
        assert answer.headers["ETag"], path
        assert "Set-Cookie" not in answer.headers, path
        assert answer.headers["Cache-Control"].startswith("public"), path


def test_nothing_of_an_account_is_in_the_public_parts(grown: SignedBook, client: FlaskClient, database: Database):
    posted = grown.award()[0]
    grown.sign()
    database.transact(service.add_witness, grown.book, str(WITNESSES[0].key), TITLES[0], None, actor="admin:1")
    pages = [f"/log/NS-00/{path}" for path in PUBLIC_PATHS] + ["/log", "/log/NS-00"]
    pages.append(f"/log/NS-00/entries/{posted.entry_id}/proof")
    accounts = {str(leg.account) for leg in posted.legs}
    assert min(map(len, accounts)) >= 7  # Long enough not to turn up by chance.
    for page in pages:
        text = client.get(page).get_data().decode("utf-8", "replace")
        assert not [account for account in accounts if account in text], page
        assert not re.search(r"staff:\d|admin:\d", text), page


def test_a_proof_goes_to_the_checkpoint_that_the_witnesses_signed(
    grown: SignedBook, client: FlaskClient, database: Database
):
    for witness, title in zip(WITNESSES, TITLES, strict=True):
        database.transact(service.add_witness, grown.book, str(witness.key), title, None, actor="admin:1")
    database.transact(service.set_policy, grown.book, 2, actor="admin:1")
    posted = grown.award()[0]
    cosigned_size = grown.sign()
    text = note.parse(client.get("/log/NS-00/checkpoint").data).text
    lines = [cosignature.cosign(text, witness, 1_790_000_000) for witness in WITNESSES[:2]]
    kept = database.transact(service.accept, grown.book, "".join(f"{line}\n" for line in lines).encode())
    assert sorted(each.name for each in kept) == ["residents.example", "street-office.example"]
    grown.award()
    grown.sign()
    shown = proof.parse(client.get(f"/log/NS-00/entries/{posted.entry_id}/proof").data)
    policy = cosignature.make_policy(2, [witness.key for witness in WITNESSES])
    proven = proof.verify(shown, bytes.fromhex(posted.leaf_hash), KEY.name, (KEY.key,), policy)
    assert proven.body.size == cosigned_size
    assert len(proven.cosigned) == 2
    listed = client.get("/log/NS-00/policy").text
    assert listed.startswith(f"log {KEY.key}\nwitness witness-1 {WITNESSES[0].key}\n")
    assert listed.endswith("group witnesses 2 witness-1 witness-2 witness-3\nquorum witnesses\n")


def test_the_page_says_in_words_how_the_log_stands(grown: SignedBook, client: FlaskClient):
    page = client.get("/log/NS-00").text
    assert "公开验证" in page
    assert "/log/NS-00/access/checkpoint" in page
    assert ledger.leaf_hash(b"") not in page
    english = client.get("/log/NS-00", headers={"Accept-Language": "en"}).text
    assert "How to check it yourself" in english
    assert "/log/NS-00" in client.get("/log").text
    assert client.get("/log/nowhere").status_code == 404
