"""The master keys of a running process: read again when their file changes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mtd.security.errors import KeyUnusable
from mtd.security.keyfile import KEY_BYTES, MasterKey, load_or_make_keys, new_key_line

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


class MasterKeys:
    """The keys that seal the data keys of tenants, the newest first. Without a ``path`` they stay as they are."""

    def __init__(
        self, keys: Sequence[MasterKey], path: Path | None = None, stamp: Stamp | None = None
    ) -> None:
        if not keys:
            raise KeyUnusable("there is no master key")
        self.path = path
        self._stamp = stamp
        self._take(keys)

    @classmethod
    def from_file(cls, path: Path, *, may_make: bool = True) -> MasterKeys:
        """Return the keys of a file, which is made if it doesn't exist and ``may_make``. Raises KeyUnusable."""
        keys = load_or_make_keys(path, may_make=may_make)
        return cls(keys, path, _stamp(path))

    @classmethod
    def from_text(cls, text: str, name: str) -> MasterKeys:
        """Return the keys of a variable of the environment, separated by spaces or commas. Raises KeyUnusable."""
        keys = []
        for number, word in enumerate(text.replace(",", " ").split(), 1):
            try:
                material = base64.b64decode(word, validate=True)
            except binascii.Error:
                material = b""
            if len(material) != KEY_BYTES:
                raise KeyUnusable(
                    f"{name} holds no key in place {number}: it should be the base64 of {KEY_BYTES} random bytes, as"
                    f" `head -c {KEY_BYTES} /dev/urandom | base64` prints"
                )
            keys.append(MasterKey.of(material))
        if not keys:
            raise KeyUnusable(f"{name} is empty: give it a key, or take it out of the environment")
        return cls(keys)

    def __repr__(self) -> str:
        return f"MasterKeys({len(self._all)} keys)"

    @property
    def newest(self) -> MasterKey:
        """The key that seals."""
        return self._all[0]

    @property
    def oldest(self) -> MasterKey:
        """The key that names subscribers: a new key on top leaves their pseudonyms as they are."""
        return self._all[-1]

    @property
    def all(self) -> Sequence[MasterKey]:
        """All keys, the newest first."""
        return self._all

    def get(self, key_id: bytes) -> MasterKey | None:
        """Return a key by its id."""
        return self._by_id.get(key_id)

    @property
    def place(self) -> str:
        """Where the keys are, for people."""
        return "the environment" if self.path is None else str(self.path)

    async def refresh(self) -> None:
        """Read the file again if it has changed. What it held before stays if it can't be used."""
        await asyncio.to_thread(self.refresh_blocking)

    def refresh_blocking(self) -> None:
        """See `refresh`."""
        if self.path is None:
            return
        try:
            stamp = _stamp(self.path)
            if stamp == self._stamp:
                return
            keys = load_or_make_keys(self.path, may_make=False)
        except (KeyUnusable, OSError) as error:
            logger.error("the master keys can't be read again, those read before are used: %s", error)
            return
        self._stamp = stamp
        self._take(keys)
        logger.info("read %d master keys anew from %s", len(keys), self.path)

    def add_new_blocking(self) -> MasterKey:
        """Put a new key on top of the file, which is replaced whole or not at all. Raises KeyUnusable."""
        if self.path is None:
            raise KeyUnusable(
                "the master key comes from the environment, where mtd can't put another: set the variable to a new key,"
                " a space and the old key, restart the daemon, and run this again"
            )
        self.refresh_blocking()
        old = self.path.read_text(encoding="ascii")
        _replace(self.path, new_key_line() + old)
        self.refresh_blocking()
        return self.newest

    def _take(self, keys: Sequence[MasterKey]) -> None:
        self._all = tuple(keys)
        self._by_id = {key.key_id: key for key in keys}


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _replace(path: Path, text: str) -> None:
    """Replace a file, for its owner alone, so that a crash leaves the old one or the new one."""
    owner = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)  # mode 0600
    staging = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
    except OSError as error:
        staging.unlink(missing_ok=True)
        raise KeyUnusable(f"{path} can't be replaced ({error.strerror}): run this as its owner") from None
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
