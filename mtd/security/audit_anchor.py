"""The end of the audit log, noted outside of the database: in a file, with a key that the database doesn't have.

Each line is an anchor: position and hash of the last entry, when it was noted, and an HMAC-SHA-256 over that and
over the anchor before it. Who changes or cuts off the chain in the database can't make anchors that fit, unless
they have the master key, too. Blocking.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mtd.security.audit_chain import Head, Problem
from mtd.security.keyfile import KEY_BYTES, MasterKey

FILE = "audit.anchors"
"""Name of the file within the data folder."""

_PURPOSE = b"mtd audit anchors\0"
_MOST_BYTES = 16 * 1024 * 1024
_FIRST = ""
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of the chain as it was at a time. ``follows``: the HMAC of the anchor before it in the file."""

    head: Head
    noted_us: int
    key_id: str
    follows: str
    mac: str

    def line(self) -> bytes:
        """Return it as a line of the file."""
        fields = {
            "chain": self.head.chain_id,
            "position": self.head.position,
            "hash": self.head.hash.hex(),
            "noted_us": self.noted_us,
            "key": self.key_id,
            "follows": self.follows,
            "mac": self.mac,
        }
        return json.dumps(fields).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Anchors:
    """What a file holds. ``unchecked``: how many were made with a master key that isn't in use any more."""

    good: Sequence[Anchor]
    unchecked: int
    problems: Sequence[Problem]


class AnchorFile:
    """The anchors of a data folder; ``keys`` are the master keys, the newest first."""

    def __init__(self, path: Path, keys: Sequence[MasterKey]) -> None:
        self._path = path
        self._keys = {key.key_id.hex(): _derived(key) for key in keys}
        self._newest = keys[0].key_id.hex()
        self._known: tuple[_Stamp | None, Anchor | None] | None = None

    def append(self, head: Head, noted_us: int) -> Anchor:
        """Note the end of the chain; durable when it returns. Raises OSError."""
        with self._locked():
            return self._append(head, noted_us)

    def _append(self, head: Head, noted_us: int) -> Anchor:
        last = self.last()
        follows = _FIRST if last is None else last.mac
        mac = _mac(self._keys[self._newest], head, noted_us, follows)
        anchor = Anchor(head, noted_us, self._newest, follows, mac)
        if self._path.exists() and self._path.stat().st_size > _MOST_BYTES:
            self._path.replace(self._older)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            # The end of the last line is missing if the machine went down in the middle of it: it was never noted.
            file.truncate(file.read().rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(anchor.line())
            file.flush()
            os.fsync(descriptor)
        give_to_owner(self._path, self._path.parent)
        self._known = (self._stamp(), anchor)
        return anchor

    def last(self) -> Anchor | None:
        """Return the newest anchor; None if there is none."""
        stamp = self._stamp()
        if self._known is None or self._known[0] != stamp:
            found = None
            for anchor in self._read():
                found = anchor if isinstance(anchor, Anchor) else found
            self._known = (stamp, found)
        return self._known[1]

    def set_aside(self, noted_us: int) -> Path | None:
        """Begin a new file; return the name of the old one, None if there was none."""
        with self._locked():
            return self._set_aside(noted_us)

    def _set_aside(self, noted_us: int) -> Path | None:
        if not self._path.exists():
            return None
        aside = self._path.with_name(f"{self._path.name}.until-{noted_us}")
        self._path.replace(aside)
        self._older.unlink(missing_ok=True)
        return aside

    def look(self) -> Anchors:
        """Return the anchors whose HMACs are good, and what is wrong with the others."""
        good: list[Anchor] = []
        problems: list[Problem] = []
        unchecked = 0
        before: str | None = None
        for number, anchor in enumerate(self._read(), 1):
            if isinstance(anchor, str):
                problems.append(Problem(0, "anchor", f"line {number} of {self._path} is no anchor"))
                continue
            place = f"anchor {number} in {self._path}, of entry {anchor.head.position},"
            key = self._keys.get(anchor.key_id)
            wanted = "" if key is None else _mac(key, anchor.head, anchor.noted_us, anchor.follows)
            if key is None:
                unchecked += 1
            elif not hmac.compare_digest(wanted, anchor.mac):
                text = f"{place} was changed: its HMAC doesn't fit"
                problems.append(Problem(anchor.head.position, "anchor", text))
            else:
                good.append(anchor)
            if before is not None and anchor.follows != before:
                text = f"{place} doesn't follow the one before it: some were removed, or put in"
                problems.append(Problem(anchor.head.position, "anchor", text))
            before = anchor.mac
        return Anchors(good, unchecked, problems)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only one who writes: the daemon, or a command."""
        path = self._path.with_name(self._path.name + ".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+b"):
            give_to_owner(path, path.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _stamp(self) -> _Stamp | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    @property
    def _older(self) -> Path:
        return self._path.with_name(self._path.name + ".1")

    def _read(self) -> Iterator[Anchor | str]:
        """Yield the anchors, and lines that are none; a last line without an end was never finished."""
        for path in (self._older, self._path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            *lines, _unfinished = data.split(b"\n")
            yield from (_parsed(line) for line in lines if line)


def give_to_owner(path: Path, folder: Path) -> None:
    """Give what root has made in a folder to the folder's owner, who is to use it as well."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _parsed(line: bytes) -> Anchor | str:
    try:
        read = json.loads(line)
        head = Head(int(read["position"]), bytes.fromhex(read["hash"]), str(read["chain"]))
        texts = (str(read["key"]), str(read["follows"]), str(read["mac"]))
        return Anchor(head, int(read["noted_us"]), *texts)
    except (ValueError, KeyError, TypeError):
        return line.decode("ascii", "replace")


def _derived(key: MasterKey) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE).derive(key.material)


def _mac(key: bytes, head: Head, noted_us: int, follows: str) -> str:
    text = f"{head.chain_id} {head.position} {head.hash.hex()} {noted_us} {follows}"
    return hmac.digest(key, text.encode(), "sha256").hex()
