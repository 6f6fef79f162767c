"""The master keys: one per line, base64, the first is the newest.

Rotation: put a new line on top (``new_key_line``), restart, seal again what
isn't current (``DeviceStore.seal_again``), take the old line out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from mtd.security.errors import KeyUnusable

KEY_BYTES = 32
KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key. ``key_id`` tells which key sealed a secret and reveals nothing of it."""

    key_id: bytes
    material: bytes = field(repr=False)

    @classmethod
    def of(cls, material: bytes) -> MasterKey:
        """Return the key of this material."""
        return cls(hashlib.sha256(b"mtd key id\0" + material).digest()[:KEY_ID_BYTES], material)


def new_key_line() -> str:
    """Return a new random key as a line of the file."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n"


def load_or_make_keys(path: Path, *, may_make: bool = True) -> list[MasterKey]:
    """Return the keys of a file, newest first; make the file if it doesn't exist and ``may_make``.

    Raises KeyUnusable if it is missing and may not be made, if others can read
    it, or if a line isn't a key.
    """
    try:
        _check_permissions(path)
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        if not may_make:
            raise KeyUnusable(
                f"{path} is missing, but passwords are stored that were sealed with its key: restore it from the backup. "
                f"If it is lost for good, make another with `(umask 077; head -c {KEY_BYTES} /dev/urandom | base64 > {path})` "
                "and set the password of each device again"
            ) from None
        _make(path)
        return load_or_make_keys(path)
    except UnicodeDecodeError:
        raise KeyUnusable(f"{path} isn't a key file: {_EXPECTED}") from None
    except PermissionError as error:
        raise KeyUnusable(f"{path} can't be read ({error.strerror}): run mtd as its owner") from None
    keys = [_parse(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not keys:
        raise KeyUnusable(f"{path} is empty: {_EXPECTED}. Restore it from the backup")
    return keys


_EXPECTED = f"it should hold one line with the base64 of {KEY_BYTES} random bytes"


def _check_permissions(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise KeyUnusable(f"{path} isn't a file")
    if found.st_mode & 0o077:
        raise KeyUnusable(
            f"{path} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}): run `chmod 600 {path}`"
        )


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    # Written aside and linked: never half a key, never over an existing one.
    staging = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_key_line())
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(staging)
        except FileExistsError:
            return  # another process was faster: its key counts
    finally:
        staging.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(path: Path, number: int, line: str) -> MasterKey:
    try:
        material = base64.b64decode(line.strip(), validate=True)
    except binascii.Error:
        raise KeyUnusable(f"{path}:{number} isn't base64: {_EXPECTED}") from None
    if len(material) != KEY_BYTES:
        raise KeyUnusable(f"{path}:{number} holds {len(material)} bytes: {_EXPECTED}")
    return MasterKey.of(material)
