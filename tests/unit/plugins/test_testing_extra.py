"""``mtd[testing]`` is all that an egg's own tests need."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import setuptools

ROOT = Path(__file__).resolve().parents[3]
LOADED = """
import json, sys
before = set(sys.modules)
import mtd.testing.contract
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))
"""


def name_of(requirement: str) -> str:
    [name] = re.findall(r"^[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[._-]+", "-", name).lower()


def all_of(requirements: list[str]) -> set[str]:
    """Return distributions, with those that they need without any extra."""
    found: set[str] = set()
    left = [name_of(requirement) for requirement in requirements]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another platform or an older Python
            continue
        left += [name_of(one) for one in needed if "extra ==" not in one]
    return found


def test_the_contract_needs_what_the_extra_brings_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", said.update)
    runpy.run_path(str(ROOT / "setup.py"))
    extra = said["extras_require"]["testing"]
    answer = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    owners = metadata.packages_distributions()
    # A namespace, such as zope, has several owners: one of them brought it.
    loaded = [
        {name_of(owner) for owner in owners[module]} - {"mtd"}
        for module in json.loads(answer.stdout)
        if module in owners and not module.startswith("_")
    ]
    brought = all_of([*said["install_requires"], *extra])
    assert [some for some in loaded if some and not some & brought] == []
    used = {owner for some in loaded for owner in some}
    assert {name_of(one) for one in extra} <= used
