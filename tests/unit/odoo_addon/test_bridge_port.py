"""The fakes of these tests are as what they stand for: the port, its real side, and Odoo's bus."""

from __future__ import annotations

import ast
import inspect
import os
from pathlib import Path

import pytest

from tests.unit.odoo_addon import bridge_kit as kit

Signature = list[str]
ODOO_17_BUS: dict[str, Signature] = {
    "_sendone": ["self", "channel", "notification_type", "message"],
    "_sendmany": ["self", "notifications"],
}
"""``bus.bus`` of Odoo 17: what is compared where Odoo itself isn't at hand."""


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


def test_the_fake_bus_is_as_odoos() -> None:
    fake = methods_of(kit.FakeBus)
    assert {name: fake[name] for name in ODOO_17_BUS} == ODOO_17_BUS


@pytest.mark.skipif("ODOO_PATH" not in os.environ, reason="ODOO_PATH names no Odoo 17")
def test_odoos_bus_is_as_written_down_here() -> None:
    odoo = Path(os.environ["ODOO_PATH"])
    found = [*odoo.glob("addons/bus/models/bus.py"), *odoo.glob("odoo/addons/bus/models/bus.py")]
    real = methods_in(found[0], "ImBus")
    assert {name: real[name] for name in ODOO_17_BUS} == ODOO_17_BUS


def test_the_bridge_calls_the_bus_as_it_is() -> None:
    tree = ast.parse((kit.ADDON / "bridge" / "odoo_store.py").read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ODOO_17_BUS
    ]
    assert calls
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        assert len(call.args) == len(ODOO_17_BUS[call.func.attr]) - 1
        assert not call.keywords


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
