"""A disk under SQLite that can be cut off, filled, slowed and write-protected; knows nothing of the bank.

A VFS of SQLite's own, made in this process with ctypes and chosen by a database's URL (`…?vfs=NAME&uri=true`), so
that any process of a trial can have it without a compiler. What was synced is kept apart, in a second folder: after
a cut a file is what was synced, or that with a random choice of the sectors that were written since.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p, cast
from pathlib import Path
from typing import Any

SECTOR = 512
#: The files that SQLite itself syncs; a database's shared memory is made anew after a cut.
SUFFIXES = ("", "-wal", "-journal")
_OK, _FULL, _IOERR_WRITE = 0, 13, 778
#: SQLITE_OPEN_CREATE; and the kinds of files with whose first sync SQLite syncs the folder: journals, write-ahead logs.
_CREATE, _SYNCS_FOLDER = 0x4, 0x800 | 0x4000 | 0x80000


class Unavailable(Exception):
    """This Python's SQLite can't be reached by ctypes."""


class _File(Structure):
    _fields_ = [("methods", c_void_p)]


# Names go by address, never as copies: SQLite keeps the address of an open file's name.
_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(_File), c_int, POINTER(c_int))
_Delete = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_Write = CFUNCTYPE(c_int, POINTER(_File), c_void_p, c_int, c_int64)
_Sync = CFUNCTYPE(c_int, POINTER(_File), c_int)


class _Methods(Structure):
    """sqlite3_io_methods of version 3. Source: sqlite3.h."""

    _fields_ = [
        ("version", c_int),
        *((name, c_void_p) for name in ("close", "read")),
        ("write", _Write),
        ("truncate", c_void_p),
        ("sync", _Sync),
        *((f"other_{number}", c_void_p) for number in range(13)),
    ]


class _Vfs(Structure):
    """sqlite3_vfs of version 3. Source: sqlite3.h."""


_Vfs._fields_ = [
    ("version", c_int),
    ("file_size", c_int),
    ("path_max", c_int),
    ("next", c_void_p),
    ("name", c_char_p),
    ("data", c_void_p),
    ("open", _Open),
    ("delete", _Delete),
    *((f"other_{number}", c_void_p) for number in range(14)),
]


#: SQLite may use a VFS for as long as the process lives, so none is ever let go.
_INSTALLED: list[Disk] = []


class Disk:
    """The files of one database's folder, and in `synced` what of them would survive a power cut."""

    def __init__(self, synced: Path, name: str | None = None) -> None:
        self.synced = synced
        self.name = name or f"trial{len(_INSTALLED)}"
        synced.mkdir(exist_ok=True)
        self._lock = threading.RLock()
        self._paths: dict[int, Path] = {}
        self._folder_due: set[int] = set()
        #: By the file's own number.
        self._handles: dict[int, int] = {}
        self._patched: dict[int, tuple[_Methods, _Methods]] = {}
        self._install()

    def url(self, database: Path) -> str:
        return f"sqlite:///file:{database}?vfs={self.name}&uri=true"

    def meet(self, word: str) -> None:
        """Begin a disaster that every process on this disk shares: full, read-only, or slow:SECONDS a sync."""
        (self.synced / ".met").write_text(word)

    def recover(self) -> None:
        (self.synced / ".met").unlink(missing_ok=True)

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Let nobody in this process write or sync meanwhile."""
        with self._lock:
            yield

    def survivors(self, database: Path, dice: random.Random) -> dict[str, bytes]:
        """Return what a power cut now would leave of the database's files, by suffix."""
        loses_all = dice.random() < 0.5
        found = {}
        for suffix in SUFFIXES:
            now, before = _read(Path(f"{database}{suffix}")), _read(self.synced / f"{database.name}{suffix}")
            left = before if loses_all else _mixed(before, now, dice)
            if left is not None:
                found[suffix] = left
        return found

    def cut(self, database: Path, dice: random.Random) -> None:
        """Leave of the database what a power cut leaves, now that all its processes are dead."""
        survivors = self.survivors(database, dice)
        for suffix in (*SUFFIXES, "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
            (self.synced / f"{database.name}{suffix}").unlink(missing_ok=True)
        for suffix, content in survivors.items():
            Path(f"{database}{suffix}").write_bytes(content)
            (self.synced / f"{database.name}{suffix}").write_bytes(content)

    def adopt(self, database: Path) -> None:
        """Take the database's files as they are for synced."""
        for suffix in SUFFIXES:
            path = Path(f"{database}{suffix}")
            if path.exists():
                self._keep(path)

    def _install(self) -> None:
        sqlite = _library()
        sqlite.sqlite3_vfs_find.restype = POINTER(_Vfs)
        self._base = sqlite.sqlite3_vfs_find(None)
        self._vfs = _Vfs()
        ctypes.memmove(ctypes.byref(self._vfs), self._base, ctypes.sizeof(_Vfs))
        self._vfs.name = self.name.encode()
        # SQLite keeps the pointers, so this object keeps what they point to.
        self._open_base, self._delete_base = self._base.contents.open, self._base.contents.delete
        self._vfs.open, self._vfs.delete = _Open(self._open), _Delete(self._delete)
        self._write_hook, self._sync_hook = _Write(self._write), _Sync(self._sync)
        if sqlite.sqlite3_vfs_register(ctypes.byref(self._vfs), 0) != _OK:
            raise Unavailable("SQLite takes no VFS of ours")
        _INSTALLED.append(self)

    def _open(self, _vfs: int, name: int | None, file: Any, flags: int, out_flags: Any) -> int:
        found: int = self._open_base(cast(self._base, c_void_p), name, file, flags, out_flags)
        if found == _OK and name is not None and file.contents.methods:
            with self._lock:
                address = ctypes.addressof(file.contents)
                self._paths[address] = _path(name)
                self._folder_due.discard(address)
                if flags & _CREATE and flags & _SYNCS_FOLDER:
                    self._folder_due.add(address)
                file.contents.methods = ctypes.addressof(self._patch(file.contents.methods)[1])
        return found

    def _patch(self, methods: int) -> tuple[_Methods, _Methods]:
        """Return the file's methods as they were and a copy that comes by here when it writes and syncs."""
        for base, patched in self._patched.values():
            if ctypes.addressof(patched) == methods:
                return base, patched
        if methods not in self._patched:
            base = cast(methods, POINTER(_Methods)).contents
            patched = _Methods()
            ctypes.memmove(ctypes.byref(patched), methods, ctypes.sizeof(_Methods))
            patched.write, patched.sync = self._write_hook, self._sync_hook
            self._patched[methods] = (base, patched)
        return self._patched[methods]

    def _delete(self, _vfs: int, name: int, sync_folder: int) -> int:
        with self._lock:
            found: int = self._delete_base(cast(self._base, c_void_p), name, sync_folder)
            if sync_folder:
                (self.synced / _path(name).name).unlink(missing_ok=True)
        return found

    def _write(self, file: Any, data: int, size: int, offset: int) -> int:
        met = self._met()
        if met == "read-only":
            return _IOERR_WRITE
        if met == "full" and offset + size > self._paths[ctypes.addressof(file.contents)].stat().st_size:
            return _FULL
        with self._lock:
            found: int = self._patch(file.contents.methods)[0].write(file, data, size, offset)
        return found

    def _sync(self, file: Any, _flags: int) -> int:
        """Take the file for synced. The real disk isn't waited for: this one is the second folder."""
        met = self._met()
        if met.startswith("slow:"):
            time.sleep(float(met.removeprefix("slow:")))
        with self._lock:
            address = ctypes.addressof(file.contents)
            path = self._paths[address]
            self._keep(path)
            if address in self._folder_due:
                self._folder_due.discard(address)
                self._keep_folder(path)
        return _OK

    def _met(self) -> str:
        try:
            return (self.synced / ".met").read_text()
        except FileNotFoundError:
            return ""

    def _keep_folder(self, path: Path) -> None:
        """Let go for good of the database's files that were deleted: until now a cut could have brought them back."""
        for other in self.synced.glob(f"{path.name.removesuffix('-wal').removesuffix('-journal')}*"):
            if not (path.parent / other.name).exists():
                other.unlink(missing_ok=True)

    def _octets(self, path: Path) -> bytes:
        """Read a file by a handle that stays: closing one lets go of all this process's locks on it, SQLite's too."""
        found = path.stat()
        handle = self._handles.get(found.st_ino)
        if handle is None:
            handle = self._handles[found.st_ino] = os.open(path, os.O_RDONLY)
        return os.pread(handle, os.fstat(handle).st_size, 0)

    def _keep(self, path: Path) -> None:
        """Make the synced copy what the file is now, sector by sector, as a disk does that may stop in between."""
        with (self.synced / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            now = self._octets(path)
            copy = os.open(self.synced / path.name, os.O_RDWR | os.O_CREAT)
            try:
                kept = os.pread(copy, os.fstat(copy).st_size, 0)
                for offset in range(0, len(now), 64 * SECTOR):
                    part = now[offset : offset + 64 * SECTOR]
                    if kept[offset : offset + len(part)] != part:
                        os.pwrite(copy, part, offset)
                os.ftruncate(copy, len(now))
            finally:
                os.close(copy)


def _library() -> Any:
    """Return the SQLite that Python's own module uses. Raises: Unavailable."""
    import _sqlite3

    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    if not hasattr(library, "sqlite3_vfs_register"):
        raise Unavailable("this Python's SQLite is out of reach")
    return library


def _path(name: int) -> Path:
    return Path(os.fsdecode(ctypes.string_at(name)))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return None


def _mixed(before: bytes | None, now: bytes | None, dice: random.Random) -> bytes | None:
    """Return the synced content with some of the sectors, and perhaps the length, of what was written since."""
    if before is None or now is None:
        return dice.choice((before, now))
    length = dice.choice((len(before), len(now)))
    padded = (before.ljust(length, b"\0"), now.ljust(length, b"\0"))
    sectors = (dice.choice(padded)[at : at + SECTOR] for at in range(0, length, SECTOR))
    return b"".join(sectors)[:length]
