"""One target under atheris, in a process of its own: ``python -m mtd.testing.fuzz.child NAME`` and libFuzzer's flags.

What a target imports is instrumented, so that inputs that reach something new are kept and changed on.
"""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    """Fuzz; ends the process, with another code than 0 upon a finding."""
    name, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=["mtd"], enable_loader_override=False):
        from mtd.testing.fuzz.parsers import TARGETS
    atheris.Setup([name, *flags], TARGETS[name].try_out)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
