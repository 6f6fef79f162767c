"""The fakes of these tests are as what they stand for: the port, its real side, and Odoo's bus."""

from __future__ import annotations

import ast
import inspect
import os
from pathlib import Path

import pytest

from tests.unit.odoo_addon import bridge_kit as kit

Signature = list[str]


def methods_in(path: Path, name: str) -> dict[str, Signature]:
    """Return the methods of a class, by the names of their parameters: Odoo itself can't be imported here."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {
                one.name: [parameter.arg for parameter in one.args.args]
                for one in node.body
                if isinstance(one, ast.FunctionDef)
            }
    raise AssertionError(f"{path} has no class {name}")


def methods_of(kind: type) -> dict[str, Signature]:
    return {
        name: list(inspect.signature(method).parameters)
        for name, method in vars(kind).items()
        if inspect.isfunction(method)
    }


def public(methods: dict[str, Signature]) -> dict[str, Signature]:
    return {name: signature for name, signature in methods.items() if not name.startswith("_")}


def test_the_fake_store_and_odoos_are_the_port() -> None:
    declared = public(methods_in(kit.ADDON / "bridge" / "port.py", "Store"))
    assert public(methods_of(kit.FakeStore)) == declared
    assert public(methods_in(kit.ADDON / "bridge" / "odoo_store.py", "OdooStore")) == declared


def test_the_fake_lock_is_as_the_real_one() -> None:
    real = public(methods_of(kit.part("writer").WriterLock))
    assert public(methods_of(kit.FakeLock)) == real


@pytest.mark.skipif("ODOO_PATH" not in os.environ, reason="ODOO_PATH names no Odoo 17")
def test_the_fake_bus_is_as_odoos() -> None:
    odoo = Path(os.environ["ODOO_PATH"])
    found = [*odoo.glob("addons/bus/models/bus.py"), *odoo.glob("odoo/addons/bus/models/bus.py")]
    real = methods_in(found[0], "ImBus")
    fake = methods_of(kit.FakeBus)
    for name in ("_sendone", "_sendmany"):
        assert fake[name] == real[name]


def test_the_bridge_knows_odoo_at_one_place_and_mtd_by_its_client() -> None:
    for path in sorted((kit.ADDON / "bridge").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                assert not name.startswith("odoo") or path.name == "odoo_store.py", f"{path.name}: {name}"
                assert name.split(".")[:2] == ["mtd", "client"] or not name.startswith("mtd"), path.name
