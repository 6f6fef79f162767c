#!/usr/bin/env python3
"""Start a collector egg: copy plugins/TEMPLATE under a new name.

scripts/new_plugin.py dhcp                                                  one of mtd's own, in plugins/
scripts/new_plugin.py ups --into ~/work --distribution acme-mtd-ups         of your own, anywhere
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ROOT / "plugins"
BIN = ROOT / ".venv/bin"
OWN_PREFIX = "mtd-collector-"
TEMPLATE = PLUGINS / "TEMPLATE"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
DISTRIBUTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LEFT_OUT = {"__pycache__", ".pytest_cache", ".hypothesis"}


def create(name: str, into: Path, distribution: str = "") -> Path:
    """Copy the template; return the new folder. Raises ValueError or FileExistsError."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} isn't a name for a collector: lower-case letters, digits and _, such as dhcp"
        )
    distribution = distribution or OWN_PREFIX + name.replace("_", "-")
    if not DISTRIBUTION.fullmatch(distribution):
        raise ValueError(
            f"{distribution!r} isn't a name for a distribution: lower-case letters, digits and -, such as acme-mtd-dhcp"
        )
    target = into / distribution
    target.mkdir(parents=True)
    words = {
        "mtd-collector-DISTRIBUTION": distribution,
        "mtd_collector_NAME": distribution.replace("-", "_"),
        "NAME": name,
    }
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


def check_place(distribution: str, *, outside: bool) -> None:
    """Raise ValueError where a name is somebody else's."""
    if outside and (not distribution or distribution.startswith(OWN_PREFIX)):
        raise ValueError(
            f"{OWN_PREFIX}... is for mtd's own: give yours a name,"
            " such as --into FOLDER --distribution acme-mtd-dhcp"
        )
    if distribution and not outside:
        raise ValueError("--distribution is for eggs of your own: say --into, too")


def filled(text: str, words: dict[str, str]) -> str:
    """Put the words in their places, longer ones first. A place isn't part of a longer word in capitals."""
    for place, word in words.items():
        text = re.sub(rf"(?<![A-Z]){place}(?![A-Z_])", word, text)
    return text


def next_steps(target: Path, package: str, *, outside: bool) -> list[str]:
    """Return what the author has to do now."""
    steps = [
        f"say in {package}/declaration.py what is read, and what it means",
        "put answers of a router into samples/, with what you expect of them",
    ]
    if outside:
        pip = f"{BIN}/pip install --no-build-isolation --no-deps -e {target}"
        return [*steps, f"{pip} && {BIN}/pytest {target}", f"{BIN}/mtd plugins list"]
    return [*steps, f"make setup && .venv/bin/pytest {target}", "scripts/catalogue_lock.py"]


def main() -> int:
    """Read the arguments, copy, and say what is next."""
    parser = argparse.ArgumentParser(description="Start a collector egg from plugins/TEMPLATE.")
    parser.add_argument("name", nargs="?", default="", help="category, such as dhcp")
    parser.add_argument("--into", type=Path, default=PLUGINS, help="folder that gets it (default: plugins/)")
    parser.add_argument(
        "--distribution",
        default="",
        help=f"name of the distribution, such as acme-mtd-dhcp; the package is called likewise."
        f" Default: {OWN_PREFIX}NAME, which is for mtd's own, in plugins/",
    )
    arguments = parser.parse_args()
    outside = arguments.into.resolve() != PLUGINS
    try:
        check_place(arguments.distribution, outside=outside)
        target = create(arguments.name, arguments.into, arguments.distribution)
    except (ValueError, FileExistsError) as error:
        print(f"new_plugin: {error}", file=sys.stderr)
        return 1
    package = target.name.replace("-", "_")
    print(f"Made {target}. Next:")
    for number, step in enumerate(next_steps(target, package, outside=outside), 1):
        print(f"  {number}. {step}")
    print("docs/plugins.md explains each step.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
