"""The mark beside a log's file: whose log it is, and which positions it may have given out.

A file can lose its end without a trace. Were its positions given again, readers that know the lost events would
pass over the new ones. So positions are reserved in a file of its own, a million at a time, before they are used, and it
tells now and then how far the log is; after damage, numbers go on behind the reservation.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

RESERVED_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a log without its file. ``reached``: a position that was given out, seconds ago at the most."""

    log_id: str
    reserved_through: int
    reached: int = 0


def mark_path(path: Path) -> Path:
    """Return the mark's file, which lies beside the log's."""
    return path.with_name(path.name + ".mark")


def read_mark(path: Path) -> Mark | None:
    """Return a log's mark; None if there is none, or it is damaged itself."""
    try:
        log_id, reserved, reached, crc = mark_path(path).read_text(encoding="ascii").split()
        mark = Mark(log_id, int(reserved), int(reached))
        if int(crc) == zlib.crc32(_text(mark)):
            return mark
    except (FileNotFoundError, ValueError):  # not four words, no numbers, no text
        pass
    return None


def write_mark(path: Path, mark: Mark) -> None:
    """Put a mark in the place of the one before, durably. Raises OSError."""
    target = mark_path(path)
    draft = target.with_name(target.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, b"%s %d\n" % (_text(mark), zlib.crc32(_text(mark))))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(mark: Mark) -> bytes:
    return f"{mark.log_id} {mark.reserved_through} {mark.reached}".encode("ascii")
