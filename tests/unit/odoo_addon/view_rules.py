"""What Odoo would refuse in a view: fields, methods and widgets that aren't there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from tests.unit.odoo_addon.declared import Models

_EXPRESSIONS = ("invisible", "readonly", "required", "column_invisible")
# Names that Odoo gives to expressions of a view.
_GIVEN = frozenset(
    {"id", "uid", "context", "parent", "True", "False", "None", "self", "time", "datetime", "relativedelta"}
    | {"context_today", "active_id", "active_ids", "active_model", "allowed_company_ids", "current_date"}
)
_VIEWS = frozenset({"tree", "form", "kanban", "search", "graph", "pivot", "calendar"})
_LEAF = re.compile(
    r"\(\s*'(\w+)[\w.]*'\s*,\s*'(?:[<>=!?]+|(?:not )?(?:in|like|ilike)|child_of|parent_of)'\s*,"
)
Element = ElementTree.Element


@dataclass(frozen=True)
class Known:
    """What views may name."""

    models: Models
    widgets: frozenset[str] = frozenset()
    """Widgets of views and kinds of views that scripts register."""


def faults_of_view(record: Element, known: Known) -> Iterator[str]:
    """Yield what is wrong in a record of a view."""
    fields = {one.attrib["name"]: one for one in record.iter("field") if one in list(record)}
    model = (fields["model"].text or "").strip()
    arch = fields["arch"]
    if model not in known.models:
        yield f"no model {model}"
    elif "inherit_id" not in fields:
        for view in arch:
            yield from _faults(view, model, known)


def _faults(view: Element, model: str, known: Known) -> Iterator[str]:
    """Yield what is wrong in a view of a model, and in the views inside it."""
    fields = known.models.fields(model)
    parts = list(_of_this_view(view))
    shown = {part.attrib["name"] for part in parts if part.tag == "field"}
    for part in parts:
        yield from _names(part, model, known)
        yield from _expressions(part, shown, fields)
        yield from _conditions(part, model, fields)
        for inner in part if part.tag == "field" else ():
            comodel = fields.get(part.attrib["name"], "")
            if comodel in known.models:
                yield from _faults(inner, comodel, known)
            elif inner.tag in _VIEWS:
                yield f"{part.attrib['name']} of {model} leads to no model of the addon"


def _of_this_view(view: Element) -> Iterator[Element]:
    """Yield a view's elements without those of the views inside its fields."""
    yield view
    for child in view if view.tag != "field" else ():
        yield from _of_this_view(child)


def _names(part: Element, model: str, known: Known) -> Iterator[str]:
    name = part.attrib.get("name", "")
    fields = known.models.fields(model)
    if part.tag == "field" and name not in fields:
        yield f"no field {name} in {model}"
    elif part.tag == "label" and "for" in part.attrib and part.attrib["for"] not in fields:
        yield f"no field {part.attrib['for']} in {model}"
    elif part.tag == "button" and part.attrib.get("type") == "object":
        if name.startswith("_") or name not in known.models.methods(model):
            yield f"no method {name} in {model}"
    elif part.tag == "widget" and name not in known.widgets:
        yield f"no widget {name}"
    if "js_class" in part.attrib and part.attrib["js_class"] not in known.widgets:
        yield f"no kind of view {part.attrib['js_class']}"


def _expressions(part: Element, shown: set[str], fields: dict[str, str]) -> Iterator[str]:
    """Yield names that an expression uses and the view doesn't have: Odoo 17 reads only fields of the view."""
    for key, text in part.attrib.items():
        if key in _EXPRESSIONS or key.startswith("decoration-"):
            yield from (
                f"{key} uses {one}, which the view doesn't have" for one in _used(text) - shown - _GIVEN
            )
        elif key.startswith("t-"):
            used = set(re.findall(r"\brecord\.(\w+)", text))
            yield from (f"{key} uses {one}, which the view doesn't have" for one in used - shown)
        elif key == "context" and part.tag == "field":
            yield from (f"{key} uses {one}, which isn't known" for one in _used(text) - set(fields) - _GIVEN)


def _used(text: str) -> set[str]:
    """Return the names in an expression; what is no expression stands for itself, and is known nowhere."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return {text}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _conditions(part: Element, model: str, fields: dict[str, str]) -> Iterator[str]:
    """Yield fields that filters search or group by, and the model doesn't have."""
    used = set()
    for key in ("domain", "filter_domain"):
        if part.tag == "filter" or key == "filter_domain":
            used |= set(_LEAF.findall(part.attrib.get(key, "")))
    used |= set(re.findall(r"'group_by':\s*'(\w+)", part.attrib.get("context", "")))
    if part.tag == "filter" and "date" in part.attrib:
        used.add(part.attrib["date"])
    orders = part.attrib.get("default_order", "")
    used |= {one.split()[0] for one in orders.split(",") if one.strip()}
    yield from (f"no field {one} in {model}" for one in sorted(used - set(fields)))
