"""Folders of files that belong together, such as a key and its certificate: replaced all at once.

Each generation is a folder named by a number. It is written aside, made durable, and renamed: the highest number is the
newest one that is whole, whatever was interrupted. Everything in it is for its owner only. Blocking.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mtd.core.errors import Misconfigured


class Generations:
    """The generations in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> list[Path]:
        """Return them, the newest first. Raises Misconfigured if the folder can't be read."""
        try:
            found = [path for path in self.folder.iterdir() if path.name.isdecimal() and path.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise Misconfigured(
                f"{self.folder} can't be read ({error.strerror}): run mtd as its owner"
            ) from None
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def newest(self) -> Path | None:
        """Return the newest; None if there is none yet."""
        return next(iter(self.all()), None)

    def add(self, files: Mapping[str, bytes]) -> Path:
        """Make a new generation of these files. To be called within `locked`."""
        newest = self.newest()
        number = 1 if newest is None else int(newest.name) + 1
        staging = self.folder / f".{number}.new"
        shutil.rmtree(staging, ignore_errors=True)  # of one that was interrupted
        try:
            staging.mkdir(mode=0o700)
            for name, content in files.items():
                write_private(staging / name, content)
            sync_folder(staging)
            made = staging.rename(self.folder / str(number))
            sync_folder(self.folder)
        except OSError as error:
            raise _not_written(self.folder, error) from None
        return made

    def drop_before(self, kept: int) -> None:
        """Remove all but the newest ``kept``."""
        for path in self.all()[kept:]:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out, in this process and in others; makes the folder."""
        make_private_folder(self.folder)
        try:
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _not_written(self.folder, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, at every moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put a file in the place of another, whole; for its owner only, unless ``mode`` says otherwise.

    Raises Misconfigured.
    """
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        try:
            write_private(staging, content)
            staging.chmod(mode)
            staging.rename(path)
        except OSError:
            staging.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error) from None


def make_private_folder(folder: Path) -> None:
    """Make a folder for its owner only, unless it is there. Raises Misconfigured."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from None


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> Misconfigured:
    return Misconfigured(f"{path} can't be written ({error.strerror}): run mtd as its owner")
