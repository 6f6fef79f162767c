"""Each text that the addon's Python translates is in its template of translations, without Odoo at hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.unit.odoo_addon.parts import ADDON
from tests.unit.odoo_addon.test_packing import SCRIPT

TEMPLATE = ADDON / "i18n/mikrotik_monitoring.pot"
SOURCES = sorted(path for path in ADDON.rglob("*.py") if "tests" not in path.relative_to(ADDON).parts)
MARKS = {"_", "_lt"}


def template_texts() -> set[str]:
    """Return the texts of the template."""
    found, parts = set(), []
    for line in [*TEMPLATE.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("msgid "):
            parts = [line.removeprefix("msgid ")]
        elif parts and line.startswith('"'):
            parts.append(line)
        elif parts:
            found.add("".join(map(ast.literal_eval, parts)))
            parts = []
    return found


def marked(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that translate."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            yield node


def test_each_text_of_the_code_is_in_the_template() -> None:
    known, seen, missing = template_texts(), 0, []
    for path in SOURCES:
        for call in marked(ast.parse(path.read_text(encoding="utf-8"))):
            text = call.args[0]
            where = f"{path.relative_to(ADDON)}:{call.lineno}"
            assert isinstance(text, ast.Constant), f"{where}: what is translated has to be a literal"
            seen += 1
            if text.value not in known:
                missing.append(f"{where}: {text.value}")
    assert seen > 100
    assert missing == [], "run scripts/addon --texts DATABASE"


def test_no_text_is_made_within_the_call() -> None:
    """Odoo's export dies of an f-string there, and leaves out whatever follows in the file."""
    made = [
        f"{path.relative_to(ADDON)}:{node.lineno}"
        for path in SOURCES
        for call in marked(ast.parse(path.read_text(encoding="utf-8")))
        for node in ast.walk(call)
        if isinstance(node, ast.JoinedStr)
    ]
    assert made == []


def test_an_export_that_could_not_read_a_file_is_refused() -> None:
    script: dict[str, object] = {"__file__": str(SCRIPT), "__name__": "addon"}
    exec(compile(SCRIPT.read_text(encoding="utf-8"), SCRIPT, "exec"), script)
    refuse = script["refuse_unread"]
    assert callable(refuse)
    refuse("INFO texts odoo.tools.translate: done")
    with pytest.raises(script["Unread"], match=r"models/x\.py"):  # type: ignore[call-overload]
        refuse(
            "INFO texts: begun\nERROR texts odoo.tools.translate: Failed to extract terms from models/x.py\n"
        )
