"""What a disk does to a log's files while nobody has them open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_EVERY_BYTES = 1_000_000


def flip_bits(path: Path) -> None:
    """Flip a bit in each megabyte of both files, and one in the middle."""
    for file in _files(path):
        content = bytearray(file.read_bytes())
        for at in {len(content) // 2, *range(_EVERY_BYTES // 2, len(content), _EVERY_BYTES)}:
            if at < len(content):
                content[at] ^= 16
        file.write_bytes(content)


def cut(path: Path) -> None:
    """Cut both files in half."""
    for file in _files(path):
        with file.open("r+b") as open_file:
            open_file.truncate(file.stat().st_size // 2)


def remove(path: Path) -> None:
    """Remove both files; the mark beside them stays."""
    for file in _files(path):
        file.unlink()


def _files(path: Path) -> list[Path]:
    return [file for file in (path, path.with_name(path.name + "-wal")) if file.exists()]


HARMS: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("log bit-flipped", flip_bits),
    ("log truncated", cut),
    ("log gone", remove),
)
