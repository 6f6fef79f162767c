"""The addon's parts that don't need Odoo, as modules."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

ADDON = Path(__file__).parents[3] / "odoo_addon/mikrotik_monitoring"
_PACKAGE = "mikrotik_monitoring_without_odoo"


def part(name: str) -> types.ModuleType:
    """Return a module of the addon, such as ``gateway.source``; the addon's models aren't loaded."""
    for package in (_PACKAGE, f"{_PACKAGE}.{name.rpartition('.')[0]}"):
        if package not in sys.modules:
            module = types.ModuleType(package)
            module.__path__ = [str(ADDON / package.removeprefix(_PACKAGE).lstrip("."))]
            sys.modules[package] = module
    return importlib.import_module(f"{_PACKAGE}.{name}")
