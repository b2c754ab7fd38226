#!/usr/bin/env python3
"""核对服务证明和对账单：不联网，只用公开的验证公钥。 Check a certificate or a statement offline by the public key.

    python3 verify_certificate.py FILE.json KEYS.txt                    a certificate
    python3 verify_certificate.py ADDRESS KEYS.txt [CONTENT.txt]        a statement

FILE.json is the file for checking that goes with a certificate: its fields, and the token of its QR code. ADDRESS is
what a scanner reads from a statement's QR code (or its last part, the token); its number and its check of the content
are printed, to be compared with the paper, and CONTENT.txt, the content that its holder downloads, is held against it.
KEYS.txt is the bank's /v/keys, fetched once from the bank itself. Needs verify_export.py beside it, for Ed25519, and
nothing else. Exit status: 0 as it was issued, 1 altered or not of this bank, 2 could not be checked. Whether a
certificate was revoked or corrected since, and a statement's lines were reversed, is said online only.
Layout: 0x15 | kid | type 1 certificate, 2 statement | document u64 | issued u32 | expires u32 | first 16 bytes of the
SHA-256 of fields or content | Ed25519, big-endian. A statement's document: (year x 17 + month, or + 12 + quarter, or
+ 0) x 2^46 + account.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from verify_export import PublicKey  # noqa: E402

_BODY = struct.Struct(">BBBQII16s")


def read_keys(text):
    """Return the public keys by number."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return {int(row[0]): PublicKey(base64.b64decode(row[1], validate=True)) for row in rows}


def spell(fields):
    """Return the one spelling of the fields (RFC 8785; names are ASCII, numbers whole)."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class NoMatch(ValueError):
    """Why a token is not of this bank."""


def open_token(token, keys, of_type):
    """Return document and digest of a token that one of the keys signed. Raises: NoMatch."""
    octets = base64.urlsafe_b64decode(token)
    if len(octets) != _BODY.size + 64 or base64.urlsafe_b64encode(octets).decode() != token:
        raise NoMatch("二维码的内容不完整 | the token is not whole")
    body, signature = octets[: _BODY.size], octets[_BODY.size :]
    kind, kid, found_type, document, _, _, digest = _BODY.unpack(body)
    if (kind, found_type) != (0x15, of_type) or kid not in keys or not keys[kid].verify(body, signature):
        raise NoMatch("签名不对：不是这些公钥签的 | not signed with these keys")
    return document, digest


def why_not(said, keys):
    """Return why a certificate is not as it was issued, or nothing."""
    try:
        _, digest = open_token(said["token"], keys, 1)
    except NoMatch as refusal:
        return str(refusal)
    if hashlib.sha256(spell(said["fields"])).digest()[:16] != digest:
        return "内容被改过 | altered"
    return ""


def period_of(document):
    """Return the period that a statement's document names: 2026, 2026-03 or 2026-Q1."""
    year, within = divmod(document >> 46, 17)
    if within == 0:
        return f"{year}"
    return f"{year}-Q{within - 12}" if within > 12 else f"{year}-{within:02}"


def check_statement(address, keys, content):
    """Return what a statement's code says, for whoever compares it with the paper. Raises: NoMatch."""
    document, digest = open_token(address.strip().rstrip("/").rpartition("/")[2], keys, 2)
    account, period = document & (1 << 46) - 1, period_of(document)
    if content is not None:
        head = content.decode().split("\n")[2:4]
        if hashlib.sha256(content).digest()[:16] != digest or head[0] != f"account {account}":
            raise NoMatch("内容不是出单时的 | the content is not what was issued")
        if head[1].split()[1] != period:
            raise NoMatch("期间不是出单时的 | the period is not what was issued")
    mark = digest.hex()[:16].upper()
    said = f"{period}-{account & 0xFFFFFFFF:08}  {' '.join(mark[at : at + 4] for at in range(0, 16, 4))}"
    closings = [] if content is None else [line for line in content.decode().split("\n") if " closing " in line]
    return "  ".join([said, *closings])


def main(words=None):
    """Return the exit status."""
    words = sys.argv[1:] if words is None else words
    is_statement = bool(words) and ("/v/" in words[0] or len(words[0]) == 132) and not Path(words[0]).exists()
    if not 2 <= len(words) <= (3 if is_statement else 2):
        print(__doc__)
        return 2
    try:
        keys = read_keys(Path(words[1]).read_text(encoding="utf-8"))
        text = None if is_statement else Path(words[0]).read_text(encoding="utf-8")
        content = Path(words[2]).read_bytes() if len(words) == 3 else None
    except (OSError, ValueError, IndexError) as error:
        print("没有核对 | not checked:", error)
        return 2
    try:
        if is_statement:
            print("相符 | MATCH:", check_statement(words[0], keys, content))
            return 0
        said = json.loads(text)
        wrong = why_not(said, keys)
    except NoMatch as refusal:
        wrong = str(refusal)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        wrong = f"看不懂 | not understood: {error!r}"
    if wrong:
        print("不符 | NO MATCH:", wrong)
        return 1
    fields = said["fields"]
    print("相符 | MATCH:", fields["number"], fields["name"], fields["minutes"], "min", fields["first"], fields["last"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
