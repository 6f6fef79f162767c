"""One target under atheris, in a process of its own: ``python -m mtd.testing.fuzz.child NAME FOLDER`` and libFuzzer's flags.

What a target imports is instrumented, so that inputs that reach something new are kept and changed on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main() -> None:
    """Fuzz; ends the process, with another code than 0 upon a finding."""
    name, folder, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=["mtd", "joserfc"], enable_loader_override=False):
        from mtd.testing.fuzz.parsers import TARGETS
    # Made here: keys that some of them are sealed with are those of this process.
    for number, good in enumerate(TARGETS[name].seeds()):
        Path(folder, f"seed-{number}").write_bytes(good)
    atheris.Setup([name, *flags, folder], TARGETS[name].try_out)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
