"""The addon's own tests, run by Odoo: every one of them, and none fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from mtd.testing.browser import MISSING, find_chromium
from mtd.testing.missing import skip_without
from mtd.testing.odoo.installation import ADDON, ADDONS
from mtd.testing.odoo.server import Odoo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TESTS = ADDONS / ADDON / "tests"
_STARTED = re.compile(r"Starting (?P<name>\w+\.test_\w+) \.\.\. *$")


def _written() -> Iterator[str]:
    """Yield the tests that stand in the files: class and method. What a class inherits from another here counts as well."""
    classes: dict[str, ast.ClassDef] = {}
    for path in sorted(TESTS.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
    for name, node in classes.items():
        if _is_case(node, classes) and not name.endswith("Common"):
            yield from (f"{name}.{method}" for method in _methods(node, classes))


def _bases(node: ast.ClassDef) -> list[str]:
    return [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]


def _is_case(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    """Return whether a class is a test case: itself or one of its bases here is of one of Odoo's."""
    return any(
        _is_case(classes[base], classes) if base in classes else base.endswith(("Case", "Common"))
        for base in _bases(node)
    )


def _methods(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> set[str]:
    found = {
        item.name for item in node.body if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")
    }
    for base in _bases(node):
        if base in classes:
            found |= _methods(classes[base], classes)
    return found


def test_every_test_runs_and_none_fails(odoo: Odoo, new_database: Callable[..., str]) -> None:
    if find_chromium() is None:
        skip_without(MISSING)  # some of them are tours
    database = new_database()
    run = odoo.make(
        database, "-i", ADDON, "--test-enable", f"--test-tags=/{ADDON}", timeout_s=1100, code=None
    )
    bad = run.complaints()
    records = run.log.records()
    started = {found["name"] for record in records if (found := _STARTED.match(record.text.splitlines()[0]))}
    written = set(_written())
    assert written
    assert written - started == set(), "these were not run"
    skipped = [str(record) for record in records if record.text.startswith("skipped ")]
    assert skipped == []
    assert bad == []
