"""Signed notes: the standard's own examples, and everything that isn't one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.errors import MoralBankError
from moralbank.transparency import note
from moralbank.transparency.errors import BadNote, BadSigningKey, BadVerifierKey, Unsigned, WrongSignature
from moralbank.transparency.note import Note, Signature

#: The example of golang.org/x/mod/sumdb/note, whose key is public.
PETER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
KEY = note.signing_key("bank.example/log/SJL-01", bytes(range(32)))
OTHER = note.signing_key("bank.example/log/SJL-01", bytes(32))


def test_the_key_and_the_note_of_the_go_package_are_made_byte_for_byte():
    key = note.parse_signing_key(PETER)
    assert str(key.key) == PETER_PUBLIC
    assert key.secret_text() == PETER
    parsed = note.parse(NOTE)
    assert note.sign(parsed.text, [key]).encode() == NOTE
    assert note.verify(parsed, [note.parse_verifier_key(PETER_PUBLIC)]) == (key.key,)


def test_the_secret_of_a_key_is_never_shown():
    assert KEY.secret_text().split("+")[-1] not in repr(KEY)
    assert repr(bytes(range(32))) not in repr(KEY)


def test_unknown_signatures_are_kept_and_ignored():
    signed = note.sign("words\n", [KEY, OTHER])
    unknown = Signature("someone.example", b"\x00\x01\x02\x03", b"?")
    read = note.parse(signed.with_signatures([unknown, unknown]).encode())
    assert read.signatures == (*signed.signatures, unknown)
    assert note.verify(read, [OTHER.key]) == (OTHER.key,)


def test_another_key_of_the_same_name_is_an_unknown_key():
    signed = note.sign("words\n", [OTHER])
    with pytest.raises(Unsigned):
        note.verify(signed, [KEY.key])


def test_a_line_of_a_known_key_that_does_not_verify_condemns_the_note():
    good = note.sign("words\n", [KEY, OTHER])
    changed = Note("other words\n", good.signatures)
    with pytest.raises(WrongSignature):
        note.verify(changed, [KEY.key, OTHER.key])
    doubled = Note("words\n", (*good.signatures, Signature(KEY.name, KEY.key.key_id, bytes(64))))
    with pytest.raises(WrongSignature):
        note.verify(doubled, [KEY.key])


def test_signing_again_with_a_key_replaces_its_line():
    first = note.sign("words\n", [KEY, OTHER])
    again = note.sign("words\n", [KEY], first.signatures)
    assert len(again.signatures) == 2
    assert note.verify(again, [KEY.key, OTHER.key]) == (KEY.key, OTHER.key)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "no-blank-line"),
        (lambda data: data.replace(b"\n\n", b"\n"), "no-blank-line"),
        (lambda data: data[:-1], "no-final-newline"),
        (lambda data: data + b"\n", "no-final-newline"),
        (lambda data: data.split(b"\n\n")[0] + b"\n\n", "no-final-newline"),
        (lambda data: data.replace("—".encode(), b"-"), "not-a-signature-line"),
        (lambda data: data.replace("— ".encode(), "—  ".encode()), "bad-key-name"),
        (lambda data: data.replace(b"PeterNeumann", b"Peter+Neumann"), "bad-key-name"),
        (lambda data: data.replace(b"PeterNeumann", "Peter\u3000Neumann".encode()), "bad-key-name"),
        (lambda data: data.replace(b"JnAM=", b"JnAN="), "bad-signature-text"),
        (lambda data: data.replace(b"JnAM=", b"JnAM"), "bad-signature-text"),
        (lambda data: data.replace(b"x08go/", b"x08go_"), "bad-signature-text"),
        (lambda data: data.replace(b"PeterNeumann ", b"PeterNeumann  "), "bad-signature-text"),
        (lambda data: data.replace(b"If", b"\tIf"), "control-character"),
        (lambda data: data.replace(b"\n", b"\r\n"), "control-character"),
        (lambda data: data.replace(b"If", b"\xff"), "not-utf-8"),
        (lambda data: b"a" * note.MAX_NOTE_BYTES + data, "too-large"),
        (lambda data: data + data.split(b"\n\n")[1] * note.MAX_SIGNATURES, "too-many-signatures"),
    ],
)
def test_each_kind_of_malformed_note_is_named(damage, reason):
    with pytest.raises(BadNote) as refused:
        note.parse(damage(NOTE))
    assert refused.value.fields["reason"] == reason


def test_a_text_without_final_newline_is_not_signed():
    for text in ("words", "wo\trds\n", ""):
        with pytest.raises(BadNote):
            note.sign(text, [KEY])


@pytest.mark.parametrize(
    "text",
    [
        "", "PeterNeumann", PETER_PUBLIC + "=", PETER_PUBLIC.replace("c74f20a3", "c74f20a4"),
        PETER_PUBLIC.replace("c74f20a3", "C74F20A3"), PETER_PUBLIC.replace("Peter", "Pet er"), " " + PETER_PUBLIC,
        PETER_PUBLIC.replace("+ARpc", "+AhpC"), PETER, "++", "a+b+c+d",
    ],
)  # fmt: skip
def test_a_malformed_verifier_key_is_refused(text):
    with pytest.raises(BadVerifierKey):
        note.parse_verifier_key(text)


@pytest.mark.parametrize("text", ["", PETER_PUBLIC, PETER[:-4], PETER.replace("c74f20a3", "c74f20a4"), "PRIVATE+KEY+"])
def test_a_malformed_signing_key_is_refused_without_showing_it(text):
    with pytest.raises(BadSigningKey) as refused:
        note.parse_signing_key(text)
    assert refused.value.fields == {}


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_is_read_as_a_note_is_refused_by_name_or_written_back(data):
    try:
        parsed = note.parse(data)
    except BadNote:
        return
    assert note.parse(parsed.encode()) == parsed


@given(st.integers(0, len(NOTE) - 1), st.integers(0, 255))
def test_a_note_with_one_byte_changed_is_refused_or_unchanged(place, byte):
    data = NOTE[:place] + bytes([byte]) + NOTE[place + 1 :]
    try:
        signed_by = note.verify(note.parse(data), [note.parse_verifier_key(PETER_PUBLIC)])
    except MoralBankError:
        return
    assert signed_by
    assert data == NOTE


@given(st.text(max_size=80))
def test_whatever_is_read_as_a_key_is_refused_by_name_or_written_back(text):
    try:
        key = note.parse_verifier_key(text)
    except BadVerifierKey:
        return
    assert str(key) == text
