#!/usr/bin/env python3
"""核对志愿服务记录证明：不联网，只用公开的验证公钥。 Check a certificate of service offline, with the public key alone.

    python3 verify_certificate.py FILE.json KEYS.txt

FILE.json is the file for checking that goes with a certificate: its fields, and the token of its QR code. KEYS.txt is
the bank's /v/keys, fetched once from the bank itself. Needs verify_export.py beside it, for Ed25519, and nothing else.
Exit status: 0 as it was issued, 1 altered or not of this bank, 2 could not be checked. Whether it was revoked or
corrected since is said online only.
Layout: 0x15 | kid | type 1 | document u64 | issued u32 | expires u32 | SHA-256(fields)[:16] | Ed25519, big-endian.
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


def why_not(said, keys):
    """Return why a certificate is not as it was issued, or nothing."""
    token = said["token"]
    octets = base64.urlsafe_b64decode(token)
    if len(octets) != _BODY.size + 64 or base64.urlsafe_b64encode(octets).decode() != token:
        return "二维码的内容不完整 | the token is not whole"
    body, signature = octets[: _BODY.size], octets[_BODY.size :]
    kind, kid, of_type, _, _, _, digest = _BODY.unpack(body)
    if (kind, of_type) != (0x15, 1) or kid not in keys or not keys[kid].verify(body, signature):
        return "签名不对：不是这些公钥签的 | not signed with these keys"
    if hashlib.sha256(spell(said["fields"])).digest()[:16] != digest:
        return "内容被改过 | altered"
    return ""


def main(words=None):
    """Return the exit status."""
    words = sys.argv[1:] if words is None else words
    if len(words) != 2:
        print(__doc__)
        return 2
    try:
        keys = read_keys(Path(words[1]).read_text(encoding="utf-8"))
        text = Path(words[0]).read_text(encoding="utf-8")
    except (OSError, ValueError, IndexError) as error:
        print("没有核对 | not checked:", error)
        return 2
    try:
        said = json.loads(text)
        wrong = why_not(said, keys)
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
