"""The models that Python files declare for Odoo, read from their syntax: Odoo itself isn't needed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ALWAYS = frozenset({"id", "display_name"})
LOGGED = frozenset({"create_date", "create_uid", "write_date", "write_uid"})
_RELATIONS = frozenset({"Many2one", "One2many", "Many2many"})
_MODELS = frozenset({"Model", "TransientModel", "AbstractModel"})


@dataclass
class Model:
    """What is declared of a model, its extensions included."""

    fields: dict[str, str] = field(default_factory=dict)
    """The model that a relation leads to, by field; empty for other fields."""
    methods: set[str] = field(default_factory=set)
    mixins: set[str] = field(default_factory=set)
    is_logged: bool = True


class Models:
    """All models of an addon."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._models: dict[str, Model] = {}
        for text in texts:
            tree = ast.parse(text)
            kinds = _field_kinds(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and _bases(node) & _MODELS:
                    self._take(node, kinds)

    def _take(self, node: ast.ClassDef, kinds: frozenset[str]) -> None:
        settings = dict(_assigned(node))
        inherited = _strings(settings.get("_inherit"))
        names = _strings(settings.get("_name")) or inherited
        for name in names:
            model = self._models.setdefault(name, Model())
            model.mixins |= set(inherited) - {name}
            model.fields |= {one: _leads_to(call) for one, call in _fields(settings, kinds)}
            model.methods |= {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
            logged = settings.get("_log_access")
            model.is_logged &= not (isinstance(logged, ast.Constant) and logged.value is False)

    def __contains__(self, name: str) -> bool:
        return name in self._models

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def fields(self, name: str) -> dict[str, str]:
        """Return the fields of a model, those of its mixins and of Odoo's own included."""
        found = dict.fromkeys(ALWAYS | LOGGED if self._models[name].is_logged else ALWAYS, "")
        for model in self._with_mixins(name):
            found |= model.fields
        return found

    def methods(self, name: str) -> set[str]:
        """Return the methods of a model that the addon has, those of its mixins included."""
        return {method for model in self._with_mixins(name) for method in model.methods}

    def _with_mixins(self, name: str) -> Iterator[Model]:
        model = self._models.get(name)
        if model is not None:
            for mixin in model.mixins:
                yield from self._with_mixins(mixin)
            yield model


def _bases(node: ast.ClassDef) -> set[str]:
    return {base.attr for base in node.bases if isinstance(base, ast.Attribute)}


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for one in node.body:
        if isinstance(one, ast.Assign):
            for target in one.targets:
                if isinstance(target, ast.Name):
                    yield target.id, one.value


def _strings(value: ast.expr | None) -> list[str]:
    found = [] if value is None else ast.literal_eval(value)
    return [found] if isinstance(found, str) else list(found)


def _field_kinds(tree: ast.Module) -> frozenset[str]:
    """Return classes of a file that are kinds of fields."""
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).startswith("fields.") for base in node.bases)
    )


def _fields(settings: dict[str, ast.expr], kinds: frozenset[str]) -> Iterator[tuple[str, ast.Call]]:
    for name, value in settings.items():
        if isinstance(value, ast.Call):
            function = ast.unparse(value.func)
            if function.startswith("fields.") or function in kinds:
                yield name, value


def _leads_to(call: ast.Call) -> str:
    if ast.unparse(call.func).removeprefix("fields.") not in _RELATIONS:
        return ""
    given = [one.value for one in call.keywords if one.arg == "comodel_name"] or call.args[:1]
    return str(ast.literal_eval(given[0])) if given else ""
