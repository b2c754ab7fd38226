"""A backup's file that was cut, changed, swapped or opened with another key is refused by name, byte for byte."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from moralbank.backup import errors
from moralbank.backup.sealed import Header, SealedReader, SealedWriter, read_key

NAME = Path("one.backup")
HEADER = Header("sqlite", "0001_ledger", "2026-11-21T10:00:00+00:00")
KEY = b"k" * 32
#: Random bytes don't shrink, so that there are several chunks.
CONTENT = os.urandom(2_500_000) + b"\0" * 3_000_000

WITH_AND_WITHOUT_KEY = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])


def sealed(key: bytes | None, content: bytes = CONTENT) -> bytes:
    file = BytesIO()
    writer = SealedWriter(file, HEADER, key)
    for start in range(0, len(content), 70_001):
        writer.write(content[start : start + 70_001])
    writer.close()
    return file.getvalue()


def opened(stored: bytes, key: bytes | None) -> bytes:
    reader = SealedReader(BytesIO(stored), NAME, key)
    parts = []
    while part := reader.read(65_537):
        parts.append(part)
    return b"".join(parts)


def chunks(stored: bytes) -> list[bytes]:
    """The first line and the chunks with their lengths."""
    line = stored.index(b"\n") + 1
    found = [stored[:line]]
    while line < len(stored):
        length = 4 + (int.from_bytes(stored[line : line + 4], "big") & 0x7FFFFFFF)
        found.append(stored[line : line + length])
        line += length
    return found


@WITH_AND_WITHOUT_KEY
@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["nothing", "little", "much"])
def test_what_went_in_comes_out(key: bytes | None, content: bytes) -> None:
    stored = sealed(key, content)
    assert opened(stored, key) == content
    assert SealedReader(BytesIO(stored), NAME, key).header == HEADER


def test_the_same_content_never_gives_the_same_file() -> None:
    one, other = sealed(KEY, b"x" * 100), sealed(KEY, b"x" * 100)
    assert chunks(one)[1] != chunks(other)[1]


@WITH_AND_WITHOUT_KEY
def test_a_file_cut_anywhere_is_refused(key: bytes | None) -> None:
    stored = sealed(key)
    ends = [len(b"".join(chunks(stored)[:count])) for count in range(1, len(chunks(stored)))]
    assert len(ends) >= 3
    for end in (*ends, ends[1] + 2, ends[1] + 900, len(stored) - 1):
        with pytest.raises(errors.BackupDamaged) as refusal:
            opened(stored[:end], key)
        assert refusal.value.fields["file"] == NAME
    with pytest.raises(errors.NotABackup):
        opened(stored[:40], key)


@WITH_AND_WITHOUT_KEY
def test_a_changed_byte_is_refused(key: bytes | None) -> None:
    stored = sealed(key, CONTENT[:1000])
    for place in range(len(stored)):
        changed = bytearray(stored)
        changed[place] ^= 1
        with pytest.raises((errors.BackupDamaged, errors.NotABackup, errors.KeyWrong, errors.KeyMissing)):
            opened(bytes(changed), key)


@WITH_AND_WITHOUT_KEY
def test_chunks_in_another_order_twice_or_of_another_file_are_refused(key: bytes | None) -> None:
    line, first, second, *rest = chunks(sealed(key))
    other = chunks(sealed(key))
    for parts in (
        [line, second, first, *rest],
        [line, first, first, second, *rest],
        [line, second, *rest],
        [line, first, other[2], *rest],
        [line, first, second, *rest, b"more"],
        [line, *other[1:]],
    ):
        with pytest.raises(errors.BackupDamaged):
            opened(b"".join(parts), key)


def test_another_key_none_or_one_too_many_is_told_apart() -> None:
    with pytest.raises(errors.KeyWrong):
        opened(sealed(KEY), b"q" * 32)
    with pytest.raises(errors.KeyMissing):
        opened(sealed(KEY), None)
    with pytest.raises(errors.NotEncrypted):
        opened(sealed(None), KEY)


@pytest.mark.parametrize(
    "stored", [b"", b"\n", b"SQLite format 3\0", b"moralbank-backup 1 {}\n", b"moralbank-backup 2 {}\n"]
)
def test_what_is_no_backup_is_said_to_be_none(stored: bytes) -> None:
    with pytest.raises(errors.NotABackup):
        opened(stored, None)


def test_a_key_is_long_and_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(errors.KeyUnfit):
        read_key(path)
    path.touch(mode=0o600)
    path.write_text("too short\n")
    with pytest.raises(errors.KeyUnfit):
        read_key(path)
    path.write_text("k" * 32 + "\n")
    assert read_key(path) == KEY
    path.chmod(0o640)
    with pytest.raises(errors.KeyUnfit):
        read_key(path)
