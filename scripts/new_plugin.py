#!/usr/bin/env python3
"""Start a collector egg: copy plugins/TEMPLATE under a new name.

scripts/new_plugin.py dhcp
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

PLUGINS = Path(__file__).resolve().parent.parent / "plugins"
TEMPLATE = PLUGINS / "TEMPLATE"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LEFT_OUT = {"__pycache__", ".pytest_cache", ".hypothesis"}


def create(name: str, into: Path) -> Path:
    """Copy the template; return the new folder. Raises ValueError or FileExistsError."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} isn't a name for a collector: lower-case letters, digits and _, such as dhcp"
        )
    distribution = name.replace("_", "-")
    target = into / f"mtd-collector-{distribution}"
    target.mkdir(parents=True)
    words = {"NAME": name, "DISTRIBUTION": distribution}
    for source in sorted(TEMPLATE.rglob("*")):
        relative = source.relative_to(TEMPLATE)
        if LEFT_OUT & set(relative.parts) or any(part.endswith(".egg-info") for part in relative.parts):
            continue
        copy = target / filled(str(relative), words)
        if source.is_dir():
            copy.mkdir(exist_ok=True)
        else:
            copy.parent.mkdir(exist_ok=True, parents=True)
            copy.write_text(filled(source.read_text(encoding="utf-8"), words), encoding="utf-8")
    return target


def filled(text: str, words: dict[str, str]) -> str:
    """Put the words in their places. A place isn't part of a longer word in capitals."""
    for place, word in words.items():
        text = re.sub(rf"(?<![A-Z]){place}(?![A-Z_])", word, text)
    return text


def main() -> int:
    """Read the arguments, copy, and say what is next."""
    parser = argparse.ArgumentParser(description="Start a collector egg from plugins/TEMPLATE.")
    parser.add_argument("name", nargs="?", default="", help="category, such as dhcp")
    parser.add_argument("--into", type=Path, default=PLUGINS, help="folder that gets it (default: plugins/)")
    arguments = parser.parse_args()
    try:
        target = create(arguments.name, arguments.into)
    except (ValueError, FileExistsError) as error:
        print(f"new_plugin: {error}", file=sys.stderr)
        return 1
    package = next(target.glob("mtd_collector_*"))
    print(f"Made {target}. Next:")
    print(f"  1. say in {package.name}/declaration.py what is read, and what it means")
    print("  2. put answers of a router into samples/, with what you expect of them")
    print("  3. make setup && .venv/bin/pytest " + str(target))
    print("  4. scripts/catalogue_lock.py")
    print("docs/plugins.md explains each step.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
