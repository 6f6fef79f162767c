"""Programs of the machine that some faults need."""

from __future__ import annotations

import shutil
from pathlib import Path

# Root has them on its path; not everybody who may use them.
_PLACES = ("/usr/sbin", "/sbin")


def find_program(name: str) -> str | None:
    """Return where a program is; None if it isn't there."""
    found = shutil.which(name)
    if found:
        return found
    for folder in map(Path, _PLACES):
        if (folder / name).is_file():
            return str(folder / name)
    return None
