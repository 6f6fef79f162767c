"""Programs of others that some faults need: those of the machine, or those that ``scripts/setup_tools faults`` unpacked."""

from __future__ import annotations

import shutil
from pathlib import Path

_TOOLS = Path(__file__).resolve().parents[3] / ".venv" / "tools" / "faults"
_PLACES = ("/usr/sbin", "/sbin")


def find_program(name: str) -> str | None:
    """Return where a program is; None if it isn't there."""
    found = shutil.which(name)
    if found:
        return found
    for folder in (*map(Path, _PLACES), _TOOLS / "usr" / "sbin", _TOOLS / "usr" / "bin"):
        if (folder / name).is_file():
            return str(folder / name)
    return None


def library_folders() -> list[Path]:
    """Return the folders of libraries that came with unpacked programs, for LD_LIBRARY_PATH."""
    return [folder for folder in (_TOOLS / "usr" / "lib").glob("*-linux-*") if folder.is_dir()]
