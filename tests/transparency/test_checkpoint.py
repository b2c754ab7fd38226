"""Checkpoints and what witnesses sign about them: the standards' examples and everything that isn't one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moralbank.errors import MoralBankError
from moralbank.transparency import checkpoint, cosignature, note, proof
from moralbank.transparency.checkpoint import Body
from moralbank.transparency.errors import (
    BadCheckpoint,
    BadPolicy,
    BadProof,
    OtherOrigin,
    PolicyUnmet,
    WrongSignature,
)

#: The example of the standard, whose log's key isn't published: it is read and written, not verified.
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()  # noqa: E501
LOG = note.signing_key("bank.example/log/SJL-01", bytes(range(32)))
WITNESSES = [
    note.signing_key(f"{name}.example", bytes([number]) * 32, note.COSIGNATURE)
    for number, name in enumerate(("street-office", "residents", "auditor"), 1)
]
BODY = Body(LOG.name, 7, bytes(range(32)))
SIGNED = note.sign(BODY.encode(), [LOG])
POLICY = cosignature.make_policy(2, [one.key for one in WITNESSES])


def test_the_standards_example_is_read_and_written_back():
    body, signed = checkpoint.read(EXAMPLE)
    assert (body.origin, body.size, body.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert body.encode() == signed.text
    assert signed.encode() == EXAMPLE
    assert cosignature.stated_time(signed.signatures[1]) == 1679315147


def test_what_a_witness_signs_is_the_standards_text():
    body, _ = checkpoint.read(EXAMPLE)
    assert cosignature.message(body.encode(), 1679315147) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_a_log_opens_its_own_checkpoint_and_no_other_logs():
    body, signed = checkpoint.open_signed(SIGNED.encode(), LOG.name, (LOG.key,))
    assert (body, signed) == (BODY, SIGNED)
    with pytest.raises(OtherOrigin):
        checkpoint.open_signed(SIGNED.encode(), LOG.name + "/access", (LOG.key,))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "lines"), ("a\n1\n", "lines"), ("a\n1\nCsUY", "lines"), ("\n1\nCsUY\n", "origin"),
        ("a\n01\nCsUY\n", "size"), ("a\n-1\nCsUY\n", "size"), ("a\n+1\nCsUY\n", "size"), ("a\n1_0\nCsUY\n", "size"),
        ("a\n٣\nCsUY\n", "size"), ("a\n 1\nCsUY\n", "size"), (f"a\n{2**63}\nCsUY\n", "size"), ("a\n\nCsUY\n", "size"),
        ("a\n1\nCsUY\n", "root"), ("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", "root"),
        ("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", "root"),
        ("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nx\n\ny\n", "extension"),
    ],
)  # fmt: skip
def test_each_wrong_line_of_a_checkpoint_is_named(text, part):
    with pytest.raises(BadCheckpoint) as refused:
        checkpoint.parse(text)
    assert refused.value.fields["part"] == part


def test_extension_lines_are_kept_and_signed():
    body = Body("a", 0, bytes(32), ("one", "two"))
    assert checkpoint.parse(body.encode()) == body


def test_two_of_three_witnesses_are_enough_and_one_is_not():
    one = SIGNED.with_signatures([cosignature.cosign(SIGNED.text, WITNESSES[0], 1_700_000_000)])
    with pytest.raises(PolicyUnmet) as refused:
        cosignature.require(one, POLICY)
    assert refused.value.fields == {"needed": 2, "found": 1}
    two = one.with_signatures([cosignature.cosign(SIGNED.text, WITNESSES[2], 1_700_000_001)])
    found = cosignature.require(note.parse(two.encode()), POLICY)
    assert [(cosigned.key.name, cosigned.time) for cosigned in found] == [
        ("street-office.example", 1_700_000_000),
        ("auditor.example", 1_700_000_001),
    ]


def test_two_cosignatures_of_one_witness_count_once_and_the_later_time_stands():
    lines = [cosignature.cosign(SIGNED.text, WITNESSES[0], time) for time in (1_700_000_000, 1_700_000_060)]
    found = cosignature.verify(SIGNED.with_signatures(lines), POLICY.keys)
    assert [cosigned.time for cosigned in found] == [1_700_000_060]


def test_a_cosignature_of_another_checkpoint_or_time_is_wrong():
    other = Body(LOG.name, 8, bytes(32)).encode()
    moved = cosignature.cosign(SIGNED.text, WITNESSES[0], 1_700_000_000)
    later = note.Signature(moved.name, moved.key_id, (1_700_000_001).to_bytes(8, "big") + moved.payload[8:])
    for line in (cosignature.cosign(other, WITNESSES[0], 1_700_000_000), later):
        with pytest.raises(WrongSignature):
            cosignature.verify(SIGNED.with_signatures([line]), POLICY.keys)


def test_a_logs_signature_is_never_a_witnesss():
    log_as_witness = note.VerifierKey(LOG.name, note.ED25519, LOG.key.public)
    with pytest.raises(WrongSignature):
        cosignature.verify(SIGNED, [log_as_witness])
    with pytest.raises(BadPolicy):
        cosignature.make_policy(1, [log_as_witness])


def test_a_policy_counts_no_key_twice_and_asks_for_no_more_than_there_are():
    keys = [one.key for one in WITNESSES]
    again = note.VerifierKey("other-name.example", note.COSIGNATURE, keys[0].public)
    for needed, listed in ((4, keys), (-1, keys), (1, [*keys, again])):
        with pytest.raises(BadPolicy):
            cosignature.make_policy(needed, listed)
    assert str(cosignature.parse_policy(" 2 of 3 ", keys)) == "2 of 3"
    for text in ("", "2", "2 of 2", "0 of 3", "4 of 3", "two of three", "2of3", "2 of 3 of 3"):
        with pytest.raises(BadPolicy):
            cosignature.parse_policy(text, keys)


def test_a_policys_file_lists_log_witnesses_and_quorum():
    lines = cosignature.policy_file([LOG.key], POLICY).splitlines()
    assert lines[0] == f"log {LOG.key}"
    assert lines[1] == f"witness witness-1 {WITNESSES[0].key}"
    assert lines[-2:] == ["group witnesses 2 witness-1 witness-2 witness-3", "quorum witnesses"]
    assert cosignature.policy_file([LOG.key], cosignature.NO_WITNESSES).splitlines()[-1] == "quorum none"


def test_a_proof_is_written_as_the_standard_shows_it_and_read_back():
    made = proof.Proof(5, (bytes(32), bytes([1]) * 32), SIGNED.encode(), b"hint")
    text = made.encode()
    assert text.decode().split("\n")[:5] == [
        "c2sp.org/tlog-proof@v1",
        "extra aGludA==",
        "index 5",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    ]
    assert text.endswith(b"\n\n" + SIGNED.encode())
    assert proof.parse(text) == made
    alone = proof.Proof(0, (), SIGNED.encode())
    assert alone.encode().startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\n")
    assert proof.parse(alone.encode()) == alone


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "first-line"),
        (lambda data: data.replace(b"proof@v1", b"proof@v2"), "first-line"),
        (lambda data: data.partition(b"\n\n")[0], "no-checkpoint"),
        (lambda data: data.replace(b"index 5\n", b""), "index"),
        (lambda data: data.replace(b"index 5", b"index 05"), "index"),
        (lambda data: data.replace(b"index 5", b"index -5"), "index"),
        (lambda data: data.replace(b"extra aGludA==", b"extra aGludA"), "extra"),
        (lambda data: data.replace(b"extra aGludA==", b"extra "), "extra"),
        (lambda data: data.replace(b"AAAA=\n", b"AAAB=\n"), "hash"),
        (lambda data: data.replace(b"AAAA=\n", b"AAA=\n"), "hash"),
        (lambda data: data.replace(b"index 5", "index \u0665".encode()), "not-ascii"),
        (lambda data: data.replace(b"index 5\n", b"index 5\n" + (b"A" * 43 + b"=\n") * 63), "too-long"),
        (lambda data: data + b"x" * 200_000, "too-large"),
    ],
)  # fmt: skip
def test_each_kind_of_malformed_proof_is_named(damage, reason):
    made = proof.Proof(5, (bytes(32),), SIGNED.encode(), b"hint")
    with pytest.raises(BadProof) as refused:
        proof.parse(damage(made.encode()))
    assert refused.value.fields["reason"] == reason


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: (proof.HEAD + "\n" + text).encode("utf-8", "replace"))
)
def test_whatever_is_read_as_a_proof_is_refused_by_name_or_written_back(data):
    try:
        parsed = proof.parse(data)
    except MoralBankError:
        return
    assert parsed.encode() == data


@given(st.text(max_size=120))
def test_whatever_is_read_as_a_checkpoint_is_refused_by_name_or_written_back(text):
    try:
        body = checkpoint.parse(text)
    except BadCheckpoint:
        return
    assert body.encode() == text
