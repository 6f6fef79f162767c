#!/usr/bin/env python3
"""Write plugins/catalogue.lock.json: what the keys of metrics mean, as promised to users.

Run it after a key was added. It refuses to change what was promised; with
--check it writes nothing and tells whether the file is up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mtd.model.catalogue import Catalogue, compare, lock_of
from mtd.plugin.manager import OWN_PREFIX, PluginManager

LOCK = Path(__file__).resolve().parent.parent / "plugins/catalogue.lock.json"


def own_catalogue() -> Catalogue:
    """Return the catalogue of the project's own eggs, whatever else is installed."""
    manager = PluginManager.load(blocked=["third-party"], environment={})
    if manager.problems:
        raise SystemExit("\n".join(manager.problems))
    folders = {path.name.removeprefix(OWN_PREFIX) for path in LOCK.parent.glob(OWN_PREFIX + "*")}
    missing = folders - {info.name for info in manager.plugins}
    if missing:
        raise SystemExit(f"not installed: {', '.join(sorted(missing))}; run `make setup`")
    return manager.catalogue


def released() -> dict[str, Any]:
    """Return the lock file; empty if there is none yet."""
    if not LOCK.exists():
        return {"number": 0, "metrics": {}, "retired": {}}
    content: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    return content


def rendered(catalogue: Catalogue, lock: dict[str, Any]) -> str:
    """Return the text that the lock file should have."""
    return json.dumps(lock_of(catalogue, lock), indent=1, sort_keys=True) + "\n"


def problems() -> list[str]:
    """Return what is wrong with the lock file, or with the eggs in its eyes."""
    catalogue, lock = own_catalogue(), released()
    found = compare(catalogue, lock)
    if not found and (not LOCK.exists() or LOCK.read_text(encoding="utf-8") != rendered(catalogue, lock)):
        found.append(f"{LOCK.name} is out of date: run scripts/catalogue_lock.py")
    return found


def main() -> int:
    """Check the lock file, and write it unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    arguments = parser.parse_args()
    catalogue, lock = own_catalogue(), released()
    broken = problems() if arguments.check else compare(catalogue, lock)
    for problem in broken:
        print(problem, file=sys.stderr)
    if not broken and not arguments.check:
        LOCK.write_text(rendered(catalogue, lock), encoding="utf-8")
        print(f"{LOCK}: {len(catalogue)} metrics, catalogue {catalogue.version}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
