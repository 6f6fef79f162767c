"""What Odoo's workers may not do, found in the syntax of a file: loops that don't end, threads, streams, values
as records."""

from __future__ import annotations

import ast
from collections.abc import Iterator

STREAMS = frozenset({"watch", "watch_frames", "events", "run", "query_slices", "stream"})
"""Methods of mtd's client that last as long as somebody reads."""
LOOPING = frozenset({"asyncio", "twisted", "multiprocessing", "sched", "gevent"})
"""Modules that run things of their own."""
THREADS = frozenset(
    {
        "threading.Thread",
        "threading.Timer",
        "_thread.start_new_thread",
        "concurrent.futures.ThreadPoolExecutor",
        "concurrent.futures.ProcessPoolExecutor",
        "concurrent.futures.thread.ThreadPoolExecutor",
    }
)
ENDLESS = frozenset({"itertools.count", "itertools.cycle", "itertools.repeat"})
METRICS = "mikrotik.metric."
_WRITES = frozenset({"create", "_create", "_load_records", "load", "name_create", "copy", "write"})
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def faults(text: str) -> list[str]:
    """Return what a file has of all that, each as ``function: what``, in the order of its lines."""
    tree = ast.parse(text)
    names = imported(tree)
    found = [
        (getattr(node, "lineno", 0), f"{place}: {what}")
        for place, node in placed(tree)
        for what in _of_node(node, names)
    ]
    found += [(line, f"{place}: values as records") for line, place in values_created(tree)]
    return [what for _, what in sorted(found)]


def placed(tree: ast.AST, place: str = "module") -> Iterator[tuple[str, ast.AST]]:
    """Yield all parts of a tree with the name of the function that each is in."""
    for child in ast.iter_child_nodes(tree):
        inner = child.name if isinstance(child, _FUNCTION) else place
        yield inner, child
        yield from placed(child, inner)


def imported(tree: ast.AST) -> dict[str, str]:
    """Return what names stand for that imports made."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                names[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return what an expression names, as modules are imported; empty if it is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (before := dotted(node.value, names)):
        return f"{before}.{node.attr}"
    return ""


def _of_node(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
        yield from (f"imports {one}" for one in modules if one.partition(".")[0] in LOOPING)
    elif isinstance(node, ast.ImportFrom):
        if not node.level and (node.module or "").partition(".")[0] in LOOPING:
            yield f"imports {node.module}"
    elif isinstance(node, ast.AsyncFunctionDef):
        yield "async"
    elif isinstance(node, ast.While):
        yield "while"
    elif isinstance(node, ast.Call):
        yield from _of_call(node, names)
    # A base class, an alias, an argument: whatever names a thread may begin one.
    if isinstance(node, ast.Name | ast.Attribute) and dotted(node, names) in THREADS:
        yield dotted(node, names)


def _of_call(node: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = dotted(node.func, names)
    if name == "time.sleep" or name in ENDLESS:
        yield name
    elif name == "iter" and len(node.args) == 2:
        yield "iter until"
    elif isinstance(node.func, ast.Attribute) and node.func.attr in STREAMS:
        yield f"stream .{node.func.attr}()"


# -- values ------------------------------------------------------------------------


def values_created(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield where records are written in a function that names a model of values, or in a class of one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and _is_about_values(node):
            yield from _writes(node, node.name)


def _is_about_values(node: ast.ClassDef | ast.FunctionDef) -> bool:
    if isinstance(node, ast.FunctionDef):
        return _names_metrics(node)
    settings = [one.value for one in node.body if isinstance(one, ast.Assign) and _is_identity(one)]
    return any(_names_metrics(one) for one in settings)


def _is_identity(one: ast.Assign) -> bool:
    return any(isinstance(name, ast.Name) and name.id in ("_name", "_inherit") for name in one.targets)


def _names_metrics(node: ast.AST) -> bool:
    return any(
        isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.startswith(METRICS)
        for one in ast.walk(node)
    )


def _writes(node: ast.AST, place: str) -> Iterator[tuple[int, str]]:
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in _WRITES:
            yield one.lineno, place
