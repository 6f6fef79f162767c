"""The console's files: read and compressed once, served from memory."""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

DIST = Path(__file__).parent / "dist"
INDEX = "index.html"
LOGIN = "login.html"

CONTENT_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".map": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_PACKED = frozenset({".png", ".ico", ".woff2"})
MAX_FILE_BYTES = 8 * 1024 * 1024

NOT_BUILT = b"""\
The console's pages are not built in this checkout: run scripts/build_console, and load this page again.
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. ``hashed``: its name tells its content, so it may be kept for ever."""

    content_type: str
    body: bytes
    packed: bytes | None
    etag: str
    hashed: bool


class Assets:
    """The files below one folder. What isn't known by name isn't served: no path is ever made of a request."""

    def __init__(self, folder: Path = DIST) -> None:
        self._folder = folder
        self._files: dict[str, Asset] = {}
        self._stamp = 0

    def get(self, name: str) -> Asset | None:
        """Return a file by its name relative to the folder."""
        return self._files.get(name)

    def refresh(self) -> None:
        """Read the files if they were built since. Waits for the disk: not for the loop's thread."""
        try:
            stamp = (self._folder / INDEX).stat().st_mtime_ns
            if stamp != self._stamp:
                self._files, self._stamp = _read(self._folder), stamp
        except FileNotFoundError:
            # Never built, or a build moves its files here at this moment: what is in memory stays.
            return


def _read(folder: Path) -> dict[str, Asset]:
    found = {}
    for path in sorted(folder.rglob("*")):
        content_type = CONTENT_TYPES.get(path.suffix)
        if content_type is None or not path.is_file() or path.is_symlink():
            continue
        if path.stat().st_size > MAX_FILE_BYTES:
            logger.warning("%s is too large to be served", path)
            continue
        name = path.relative_to(folder).as_posix()
        found[name] = _asset(name, content_type, path.read_bytes())
    return found


def _asset(name: str, content_type: str, body: bytes) -> Asset:
    packed = None
    if not any(name.endswith(suffix) for suffix in _PACKED):
        packed = gzip.compress(body, 9, mtime=0)
        if len(packed) >= len(body):
            packed = None
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return Asset(content_type, body, packed, etag, hashed=name.startswith("assets/"))
