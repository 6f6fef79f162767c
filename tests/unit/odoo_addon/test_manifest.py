"""What Odoo would only say when it loads the addon, or never: files that are missing, models that nobody may read."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.unit.odoo_addon.parts import ADDON

MANIFEST: dict[str, Any] = ast.literal_eval((ADDON / "__manifest__.py").read_text())
XML = sorted(path for path in ADDON.rglob("*.xml"))
DATA = [path for path in XML if "static" not in path.parts]
PYTHON = sorted(path for path in ADDON.rglob("*.py") if "__pycache__" not in path.parts)
PRODUCT = [path for path in PYTHON if "tests" not in path.relative_to(ADDON).parts]
# These are loaded in every process of Odoo; the bridge is imported by its command only.
LOADED = [path for path in PRODUCT if path.relative_to(ADDON).parts[0] != "bridge"]
SECURITY = ADDON / "security"


def name(path: Path) -> str:
    return path.relative_to(ADDON).as_posix()


# -- files ---------------------------------------------------------------------


def test_it_says_what_odoo_and_oca_want_to_know() -> None:
    assert re.fullmatch(r"17\.0\.\d+\.\d+\.\d+", MANIFEST["version"])
    assert {"name", "summary", "author", "website", "license", "category", "depends"} <= MANIFEST.keys()
    assert set(MANIFEST["depends"]) == {"base", "web", "bus"}


def test_every_data_file_is_there_and_is_loaded_once() -> None:
    listed = MANIFEST["data"]
    assert len(listed) == len(set(listed))
    assert set(listed) == {*map(name, DATA), "security/ir.model.access.csv"}


def test_rights_are_loaded_before_what_they_guard() -> None:
    listed = MANIFEST["data"]
    assert listed[0] == "security/groups.xml"
    first_view = min(listed.index(one) for one in listed if one.startswith(("views/", "data/")))
    assert all(listed.index(one) < first_view for one in listed if one.startswith("security/"))


def assets() -> dict[str, set[str]]:
    """Return the files of each pattern of the manifest."""
    patterns = [one for one in chain.from_iterable(MANIFEST["assets"].values()) if isinstance(one, str)]
    own = [one.removeprefix(f"{ADDON.name}/") for one in patterns if one.startswith(f"{ADDON.name}/")]
    return {pattern: {name(path) for path in ADDON.glob(pattern)} for pattern in own}


def test_every_asset_is_there_and_odoos_own_are_all_loaded() -> None:
    assert [pattern for pattern, files in assets().items() if not files] == []
    kinds = {".js", ".xml", ".css", ".scss"}
    # Of what is shared with the console, Odoo needs a part.
    own = chain((ADDON / "static/src/odoo").rglob("*"), (ADDON / "static/tests").rglob("*"))
    wanted = {name(path) for path in own if path.suffix in kinds}
    assert wanted - set().union(*assets().values()) == set()


def test_what_a_script_needs_is_loaded_with_it() -> None:
    loaded = set().union(*assets().values())
    missing = set()
    for script in (ADDON / one for one in loaded if one.endswith(".js")):
        imported = re.findall(r'from "(\.{1,2}/[^"]+)"', script.read_text())
        beside = [script.with_suffix(suffix) for suffix in (".xml", ".css", ".scss")]
        needed = [(script.parent / one).resolve() for one in imported]
        needed = [one if one.suffix == ".js" else one.with_name(f"{one.name}.js") for one in needed]
        missing |= {name(one) for one in needed} - loaded
        missing |= {name(one) for one in beside if one.exists()} - loaded
    assert missing == set()


def test_scripts_are_modules_of_odoo() -> None:
    scripts = [path for path in (ADDON / "static").rglob("*.js")]
    assert scripts
    assert [name(path) for path in scripts if not path.read_text().startswith("/** @odoo-module **/")] == []


@pytest.mark.parametrize("path", XML, ids=name)
def test_xml_is_well_formed_and_for_odoo_17(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        assert element.tag != "list", "lists are <tree> in Odoo 17"
        assert "t-raw" not in element.attrib, "t-raw shows what somebody wrote as markup: t-out"
        if path in DATA:
            assert not {"attrs", "states"} & element.attrib.keys(), "invisible and readonly are expressions"


def test_no_external_id_is_given_twice() -> None:
    ids = [
        element.attrib["id"]
        for path in DATA
        for element in ElementTree.parse(path).getroot().iter()
        if element.tag in {"record", "menuitem", "template"} and "id" in element.attrib
    ]
    assert sorted(ids) == sorted(set(ids))


def test_what_is_for_people_is_there() -> None:
    for part in ("DESCRIPTION", "INSTALL", "CONFIGURE", "USAGE", "CONTRIBUTORS"):
        assert (ADDON / "readme" / f"{part}.md").read_text().strip()
    assert (ADDON / "static/description/icon.png").read_bytes().startswith(b"\x89PNG")
    ElementTree.parse(ADDON / "static/description/icon.svg")
    assert "<section" in (ADDON / "static/description/index.html").read_text()
    assert 'msgid ""' in (ADDON / f"i18n/{ADDON.name}.pot").read_text()


# -- who may do what -----------------------------------------------------------


def models() -> Iterator[tuple[str, set[str]]]:
    """Yield the stored models of the addon, and the names of their fields as their class gives them."""
    for path in PRODUCT:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ClassDef):
                continue
            bases = {base.attr for base in node.bases if isinstance(base, ast.Attribute)}
            assigned = {
                target.id: one.value
                for one in node.body
                if isinstance(one, ast.Assign)
                for target in one.targets
                if isinstance(target, ast.Name)
            }
            if bases & {"Model", "TransientModel"} and isinstance(assigned.get("_name"), ast.Constant):
                yield ast.literal_eval(assigned["_name"]), set(assigned)


def rights() -> list[dict[str, str]]:
    with (SECURITY / "ir.model.access.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_model_has_rights_for_a_group_and_none_for_everybody() -> None:
    known = {model: fields for model, fields in models()}
    assert {"mikrotik.device", "mikrotik.metric.point", "mikrotik.event"} <= known.keys()
    granted = {row["model_id:id"].removeprefix("model_") for row in rights()}
    # A model that nobody may read by RPC needs none: the code that uses it has rights of its own.
    private = {"mikrotik.viewing"}
    assert {model.replace(".", "_") for model in known if model not in private} <= granted
    assert all(row["group_id:id"].startswith("group_") for row in rights())
    assert len({row["id"] for row in rights()}) == len(rights())


def test_values_and_events_are_changed_by_nobody() -> None:
    for row in rights():
        if "metric" in row["model_id:id"] or row["model_id:id"].endswith("mikrotik_event"):
            changes = {key: row[key] for key in ("perm_write", "perm_create", "perm_unlink")}
            assert set(changes.values()) == {"0"}, row["id"]


def test_every_model_of_a_company_has_a_rule() -> None:
    root = ElementTree.parse(SECURITY / "rules.xml").getroot()
    ruled = set()
    for record in root.iter("record"):
        fields = {field.attrib["name"]: field for field in record.iter("field")}
        if "company_ids" in (fields["domain_force"].text or "") and "groups" not in fields:
            ruled.add(fields["model_id"].attrib["ref"].removeprefix("model_"))
    inherited = {"mikrotik.metric.point", "mikrotik.metric.latest"}
    wanted = {model for model, fields in models() if "company_id" in fields} | inherited
    assert {model.replace(".", "_") for model in wanted} <= ruled


def test_rights_are_passed_over_only_with_a_reason() -> None:
    """A comment that begins with ``sudo:`` stands in the same function."""
    unexplained = []
    for path in PRODUCT:
        text = path.read_text()
        lines = text.splitlines()
        functions = [
            (node.lineno, node.end_lineno or node.lineno)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for number, line in enumerate(lines, 1):
            if ".sudo()" in line:
                around = [(first, last) for first, last in functions if first <= number <= last]
                first, last = max(around, default=(number, number))
                if "sudo:" not in "\n".join(lines[first - 1 : last]):
                    unexplained.append(f"{name(path)}:{number}")
    assert unexplained == []


# -- what it is made of --------------------------------------------------------


def imports(tree: ast.Module, *, at_load: bool) -> Iterator[str]:
    """Yield modules that a file imports; with ``at_load`` not those that only functions do."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    typing = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.dump(test.test)
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if at_load and (id(node) in inside or id(node) in typing):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_of_mtd_it_uses_the_client_only(path: Path) -> None:
    used = {one for one in imports(ast.parse(path.read_text()), at_load=False) if one.split(".")[0] == "mtd"}
    assert {one for one in used if one.split(".")[:2] != ["mtd", "client"]} == set()


@pytest.mark.parametrize("path", LOADED, ids=name)
def test_nothing_of_grpc_is_loaded_with_odoo(path: Path) -> None:
    loaded = {one.split(".")[0] for one in imports(ast.parse(path.read_text()), at_load=True)}
    assert loaded & {"mtd", "grpc", "prometheus_client"} == set()
