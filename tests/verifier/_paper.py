"""Writes exports of a book that exists on paper only, so that the verifier is tested apart from what it verifies.

Aunt Zhao sorts waste and volunteers; Old Sun spends what he gets at the noodle shop. Nothing here uses moralbank.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BOOK = 7
ORIGIN = "bank.example/log/NS-00"
ISSUER, REGISTRY, EXPIRED, SHOP, SETTLED, ZHAO, SUN = range((BOOK << 32) + 1, (BOOK << 32) + 8)
ACCOUNTS = {
    ISSUER: "issuer", REGISTRY: "registry", EXPIRED: "expired", SHOP: "merchant", SETTLED: "settled",
    ZHAO: "resident", SUN: "resident",
}  # fmt: skip
GUARDED = {ZHAO, SUN}
AHEAD = timedelta(hours=8)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """The tree as RFC 6962 defines it, level by level: what has no neighbour rises as it is."""
    level = list(hashes)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0] if level else hashlib.sha256().digest()


def frontier_of(hashes: list[bytes]) -> list[bytes]:
    found, rest = [], hashes
    while rest:
        whole = 1 << len(rest).bit_length() - 1
        found.append(root_of(rest[:whole]))
        rest = rest[whole:]
    return found


def path_of(hashes: list[bytes], index: int) -> list[bytes]:
    if len(hashes) < 2:
        return []
    half = 1 << (len(hashes) - 1).bit_length() - 1
    if index < half:
        return [*path_of(hashes[:half], index), root_of(hashes[half:])]
    return [*path_of(hashes[half:], index - half), root_of(hashes[:half])]


class Signer:
    """A key of a log or of a witness."""

    def __init__(self, name: str, kind: int, seed: int = 1) -> None:
        self.name, self.kind = name, kind
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{name} {seed}".encode()).digest())
        data = bytes([kind]) + self.key.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        self.vkey = f"{name}+{self.key_id.hex()}+{base64.b64encode(data).decode()}"

    def line(self, text: str, moment: int = 1_772_000_000) -> str:
        if self.kind == 1:
            payload = self.key.sign(text.encode())
        else:
            stamped = f"cosignature/v1\ntime {moment}\n{text}"
            payload = moment.to_bytes(8, "big") + self.key.sign(stamped.encode())
        return f"— {self.name} {base64.b64encode(self.key_id + payload).decode()}\n"


LOG_KEY, ACCESS_KEY = Signer(ORIGIN, 1), Signer(f"{ORIGIN}/access", 1)
WITNESSES = [Signer(f"{name}.example", 4) for name in ("street", "residents", "auditor")]


def note(signer: Signer, origin: str, size: int, root: bytes, witnesses: list[Signer]) -> str:
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return text + "\n" + "".join(one.line(text) for one in (signer, *witnesses))


def policy_of(*logs: Signer) -> str:
    lines = [f"log {one.vkey}" for one in logs]
    lines += [f"witness w{place} {one.vkey}" for place, one in enumerate(WITNESSES)]
    return "\n".join([*lines, "group offices 2 w0 w1 w2", "quorum offices", ""])


@dataclass
class Paper:
    """A book that grows leaf by leaf, and can be written out as an export at any time."""

    now: datetime = datetime(2026, 3, 1, 1, 0)
    leaves: list[bytes] = field(default_factory=list)
    deeds: list[bytes] = field(default_factory=list)
    held: dict[tuple[int, str], list] = field(default_factory=dict)
    months: dict[tuple[int, str, str], list[int]] = field(default_factory=dict)
    openings: list[list] = field(default_factory=list)
    keys: list[list[str]] = field(default_factory=list)
    signed_sizes: list[int] = field(default_factory=list)
    closed: list[list] = field(default_factory=list)
    settled: list[list] = field(default_factory=list)
    shortfalls: list[list] = field(default_factory=list)
    notices: list[list] = field(default_factory=list)
    reasons: list[list] = field(default_factory=list)
    seq: int = 0

    def settle(self, points: int, month: str) -> None:
        entry_id = self.entry("settlement", (SHOP, "points", -points), (SETTLED, "points", points))
        self.settled.append([SHOP, month, points, entry_id])

    def entry(self, kind: str, *legs: tuple, private: str | None = None, **more) -> str:
        """Append an entry; a leg is account, unit, amount and, for some credits, the day on which it is gone."""
        self.seq += 1
        self.now += timedelta(minutes=7)
        at, day = self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), (self.now + AHEAD).strftime("%Y-%m-%d")
        entry_id = hashlib.sha256(f"entry {self.seq}".encode()).hexdigest()[:32]
        fields = {
            "v": 1, "book": BOOK, "id": entry_id, "seq": self.seq, "kind": kind, "by": "staff:1", "at": at, "on": day,
            "legs": [self._leg(at, day, *leg) for leg in legs],
        } | more  # fmt: skip
        if private is not None:
            salt = hashlib.sha256(entry_id.encode()).digest()
            fields["m"] = hmac.digest(salt, private.encode(), "sha256").hex()
            self.openings.append([len(self.leaves), salt.hex(), private])
        self.keys.append([fields["by"], f"key-{self.seq:06}", entry_id, ""])
        self.leaves.append(canonical(fields))
        return entry_id

    def _leg(self, at: str, day: str, account: int, unit: str, amount: int, until: str | None = None) -> dict:
        leg = {"a": account, "u": unit, "d": amount}
        if account in GUARDED:
            n, balance, _ = self.held.get((account, unit), (0, 0, ""))
            month = self.months.setdefault((account, unit, day[:7]), [balance, 0, 0, 0, n + 1, 0])
            month[1 if amount > 0 else 2] += abs(amount)
            month[3], month[5] = balance + amount, n + 1
            self.held[account, unit] = [n + 1, balance + amount, at]
            leg |= {"n": n + 1, "b": balance + amount}
        return leg | ({"x": until} if until else {})

    def award(self, to: int, points: int, until: str = "2029-03-01", **more) -> str:
        legs = ((ISSUER, "points", -points), (to, "points", points, until))
        minutes = ((REGISTRY, "minutes", -6 * points), (to, "minutes", 6 * points))
        return self.entry("award", *legs, *minutes, rule=["V01", 1], grade="A", **more)

    def redemption(self, by: int, points: int, **more) -> str:
        return self.entry("redemption", (by, "points", -points), (SHOP, "points", points), **more)

    def reverse(self, index: int, kind: str = "undo", **more) -> str:
        """Append the mirror of the entry at a leaf."""
        fields = json.loads(self.leaves[index])
        legs = [(leg["a"], leg["u"], -leg["d"]) for leg in fields["legs"]]
        return self.entry(kind, *legs, rev=fields["id"], **more)

    def shortfall(self, award: str, account: int, missing: int, *, request: int = 1, ends: str = "2027-02-28") -> list:
        """State what a reversal made just now could not take; return the row, for whoever offsets it or lets it go."""
        opened = self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.shortfalls.append([award, account, request, missing, 0, 0, 0, opened, f"{ends}T16:00:00.000000Z", ""])
        return self.shortfalls[-1]

    def offset(self, row: list, points: int, step: int, account: int = 0) -> str:
        """Take points back from an award that came just now."""
        row[4], row[6] = row[4] + points, row[6] + 1
        legs = ((account or row[1], "points", -points), (ISSUER, "points", points))
        return self.entry("offset", *legs, src=["offset", f"{row[0]}:{step}"], ok="staff:2")

    def deed(self, kind: str, note: str = "", **fields) -> None:
        """Append a deed, with a commitment to what was written beside it."""
        if note:
            salt = hashlib.sha256(f"deed {len(self.deeds)}".encode()).digest()
            fields["m"] = hmac.digest(salt, note.encode(), "sha256").hex()
            self.reasons.append([len(self.deeds), salt.hex(), canonical(note).decode()])
        self.fact(kind, log=2, **fields)

    def fact(self, kind: str, *, log: int = 1, **fields) -> None:
        leaves = self.leaves if log == 1 else self.deeds
        no = 1 + sum(b'"k":' in leaf for leaf in leaves)
        at = self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        leaves.append(canonical({"v": 1, "book": BOOK, "log": log, "k": kind, "at": at, "no": no} | fields))

    def close(self) -> None:
        """Close the day, and seal it with all that a seal says."""
        day, at = (self.now + AHEAD).strftime("%Y-%m-%d"), self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.closed.append([day, self.seq, at])
        kinds, points, minutes = {}, 0, 0
        for fields in map(json.loads, self.leaves):
            for leg in fields.get("legs", ()):
                if "n" not in leg or fields["on"] > day:
                    continue
                points += leg["d"] if leg["u"] == "points" else 0
                minutes += leg["d"] if leg["u"] == "minutes" else 0
                if fields["on"] == day:
                    empty = {"n": 0, "pi": 0, "po": 0, "mi": 0, "mo": 0, "ids": set()}
                    of_kind = kinds.setdefault(fields["kind"], empty)
                    of_kind["ids"].add(fields["id"])
                    of_kind[leg["u"][0] + ("i" if leg["d"] > 0 else "o")] += abs(leg["d"])
        for of_kind in kinds.values():
            of_kind["n"] = len(of_kind.pop("ids"))
        lines = "".join(f"{account} {kind}\n" for account, kind in sorted(ACCOUNTS.items()))
        accounts = {"n": len(ACCOUNTS), "hash": hashlib.sha256(lines.encode()).hexdigest()}
        more = {"points": points, "minutes": minutes, "accounts": accounts, "last": self.seq, "closed": at}
        self.fact("snap", day=day, kinds=kinds, **more)
        self.now += timedelta(days=1)

    def sign(self) -> None:
        """Publish a checkpoint of the log as it stands."""
        self.signed_sizes.append(len(self.leaves))

    def write(
        self, path: Path, *, start: int = 0, signer: Signer = LOG_KEY, policy: str | None = None, **changes
    ) -> Path:
        """Write the export. changes: files to put in place of those that belong there, by name (_ for . and /)."""
        ledger = [leaf_hash(leaf) for leaf in self.leaves]
        access = [leaf_hash(leaf) for leaf in self.deeds]
        notes = [
            note(signer, ORIGIN, size, root_of(ledger[:size]), WITNESSES[size % 2 :])
            for size in self.signed_sizes
            if size >= start
        ]
        deeds = note(ACCESS_KEY, f"{ORIGIN}/access", len(access), root_of(access), WITNESSES)
        first_month = min((month for _, _, month in self.months), default="") if not start else "2026-03"
        about = {
            "book": BOOK, "code": "NS-00", "name": "Nanshan", "at": "2026-06-01T00:00:00.000000Z",
            "with_openings": True, "two_people_from": 1,
            "ledger": _about(ledger, start, ORIGIN), "access": _about(access, 0, f"{ORIGIN}/access"),
        }  # fmt: skip
        guarded = [account for account, kind in ACCOUNTS.items() if kind == "resident"]
        balances = [[a, u, *self.held.get((a, u), (0, 0, ""))] for a in guarded for u in ("points", "minutes")]
        said = [[*key, *figures] for key, figures in sorted(self.months.items()) if key[2] >= first_month]
        files = {
            "book.json": canonical(about),
            "ledger/leaves.jsonl": b"".join(leaf + b"\n" for leaf in self.leaves[start:]),
            "access/leaves.jsonl": b"".join(leaf + b"\n" for leaf in self.deeds),
            "ledger/checkpoints.jsonl": b"".join(canonical(one) + b"\n" for one in notes),
            "access/checkpoints.jsonl": canonical(deeds) + b"\n" if access else b"",
            "ledger/keys.txt": rows([[signer.vkey]]),
            "access/keys.txt": rows([[ACCESS_KEY.vkey]]),
            "policy.txt": (policy_of(signer, ACCESS_KEY) if policy is None else policy).encode(),
            "accounts.txt": rows([[account, kind] for account, kind in ACCOUNTS.items()]),
            "rules.txt": rows([["V01", 1, "2026-01-01", "consulted"]]),
            "closed_days.txt": rows(self.closed),
            "statements.txt": rows(said),
            "settlements.txt": rows(self.settled),
            "unsealed.jsonl": b"",
            "openings.txt": rows([row for row in self.openings if row[0] >= start]),
            "access/openings.txt": rows(self.reasons),
            "offsets.txt": rows(self.shortfalls),
            "notices.txt": rows(self.notices),
            "differences.txt": b"",
            "reversed.txt": rows([[json.loads(leaf)["rev"]] for leaf in self.leaves if b'"rev":' in leaf]),
            "balances.txt": rows(balances),
            "keys.txt": b"" if start else rows(sorted(self.keys)),
            "README.txt": b"read me\n",
        }
        by_word = {name.replace(".", "_").replace("/", "_"): name for name in files}
        files |= {by_word[word]: data for word, data in changes.items()}
        return pack(path, files)


def _about(hashes: list[bytes], start: int, origin: str) -> dict:
    return {
        "start": start, "size": len(hashes), "root": root_of(hashes).hex(), "origins": [[0, origin]],
        "frontier": [one.hex() for one in frontier_of(hashes[:start])],
    }  # fmt: skip


def rows(values: list) -> bytes:
    return "".join(" ".join(str(word) or "-" for word in row) + "\n" for row in values).encode()


def pack(path: Path, files: dict[str, bytes]) -> Path:
    """Write files with a manifest that is true of them."""
    listed = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    ]
    manifest = canonical({"format": "moralbank-export/1", "files": listed})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in {**files, "manifest.json": manifest}.items():
            archive.writestr(name, data)
    return path


def unpack(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}


def small_book() -> Paper:
    """A spring of a small book, in which everything that the verifier looks at comes up once."""
    paper = Paper()
    paper.fact("key", origin=ORIGIN, new=LOG_KEY.vkey)
    paper.fact("login", log=2, who="staff:1")
    paper.award(ZHAO, 30, "2026-04-10", src=["attendance", "1"], private='{"memo":"河岸清洁"}', br=3)
    paper.award(SUN, 20)
    paper.redemption(ZHAO, 5, private='{"memo":"面条"}')
    paper.sign()
    paper.reverse(3)
    paper.award(ZHAO, 10)
    paper.close()
    paper.notices.append([ZHAO, "2026-04-10", "2026-03-11"])
    paper.now += timedelta(days=40)
    paper.entry("expiry", (ZHAO, "points", -30), (EXPIRED, "points", 30))
    paper.redemption(ZHAO, 10)
    paper.redemption(SUN, 3)
    paper.sign()
    paper.award(SUN, 9)
    paper.reverse(len(paper.leaves) - 1, "reversal", ok="staff:2")
    paper.settle(13, "2026-04")
    paper.deed("view", "家属来电", who="staff:1", a=ZHAO)
    paper.award(SUN, 40)
    paper.sign()
    return paper
