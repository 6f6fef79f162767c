"""The addon comes, is updated and goes on a stock server, without a word of complaint."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mtd.testing.odoo.installation import ADDON, ADDONS, ROOT, Installation
from mtd.testing.odoo.server import Odoo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _state(odoo: Odoo, database: str) -> str:
    ((state,),) = odoo.postgres.sql(database, "SELECT state FROM ir_module_module WHERE name = %s", ADDON)
    return str(state)


def _left_behind(odoo: Odoo, database: str) -> dict[str, list[str]]:
    """Return what of the addon is still in a database: tables, models, data, parameters, menus."""
    questions = {
        "tables": "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'S') AND relname LIKE 'mikrotik%'",
        "functions": "SELECT proname FROM pg_proc WHERE proname LIKE '%mikrotik%'",
        "models": "SELECT model FROM ir_model WHERE model LIKE 'mikrotik%'",
        "data": f"SELECT name FROM ir_model_data WHERE module = '{ADDON}'",
        "parameters": "SELECT key FROM ir_config_parameter WHERE key LIKE 'mikrotik%'",
        "attachments": "SELECT name FROM ir_attachment WHERE res_model LIKE 'mikrotik%'",
        "crons": "SELECT cron_name FROM ir_cron WHERE cron_name ILIKE '%mikrotik%'",
    }
    found = {
        what: [str(row[0]) for row in odoo.postgres.sql(database, question)]
        for what, question in questions.items()
    }
    return {what: names for what, names in found.items() if names}


def test_it_installs_updates_and_goes_without_a_warning(odoo: Odoo, new_database: Callable[..., str]) -> None:
    database = new_database()
    assert odoo.install(database, ADDON).complaints() == []
    assert _state(odoo, database) == "installed"
    assert odoo.update(database, ADDON).complaints() == []
    assert _state(odoo, database) == "installed"

    # Somebody has used it: there are secrets, which go with it.
    odoo.shell(database, _SOME_USE)
    secrets = odoo.data_dir / ADDON / database
    assert [path.name for path in secrets.rglob("token")] == ["token"]
    assert secrets.stat().st_mode & 0o077 == 0

    assert odoo.uninstall(database).complaints() == []
    assert _state(odoo, database) == "uninstalled"
    assert _left_behind(odoo, database) == {}
    assert not secrets.exists()

    assert odoo.install(database, ADDON).complaints() == []


_SOME_USE = """
connection = env['mikrotik.connection'].create(
    {'name': 'mtd', 'target': '127.0.0.1:1', 'tls': 'none', 'token': 'a token that nobody knows'}
)
env['mikrotik.site'].create({'name': 'Somewhere'})
"""


def _stock(odoo: Odoo, installation: Installation, folder: Path) -> Odoo:
    """Return a server that has nothing of the checkout but what scripts/addon packs."""
    packed = folder / "addon.zip"
    subprocess.run([ROOT / "scripts/addon", "--into", packed], check=True, capture_output=True)
    addons = folder / "addons"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(addons)
    stock = Odoo(folder / "stock", installation, odoo.postgres, addons=addons)
    shutil.copytree(odoo.data_dir, stock.data_dir, dirs_exist_ok=True)
    return stock


def test_a_version_before_is_updated(
    odoo: Odoo, installation: Installation, tmp_path: Path, new_database: Callable[..., str]
) -> None:
    """Scripts of a version are run once, on the way from an older one, and nothing is said."""
    database = new_database()
    odoo.install(database, ADDON)
    stock = _stock(odoo, installation, tmp_path)
    ((installed,),) = odoo.postgres.sql(database, _VERSION, ADDON)
    scripts = stock.addons / ADDON / "migrations" / installed
    scripts.mkdir()
    for stage in ("pre", "post"):
        (scripts / f"{stage}-leave_a_trace.py").write_text(_LEAVE_A_TRACE.format(stage=stage))

    before = "17.0.0.1.0"
    odoo.postgres.sql(
        database, f"UPDATE ir_module_module SET latest_version = '{before}' WHERE name = %s", ADDON
    )
    for _ in range(2):
        assert stock.update(database, ADDON).complaints() == []
        assert odoo.postgres.sql(database, _VERSION, ADDON) == [(installed,)]
        traces = odoo.postgres.sql(database, "SELECT stage, version FROM trace ORDER BY id")
        assert traces == [("pre", before), ("post", before)]


_VERSION = "SELECT latest_version FROM ir_module_module WHERE name = %s"
_LEAVE_A_TRACE = """
def migrate(cr, version):
    cr.execute("CREATE TABLE IF NOT EXISTS trace (id serial, stage text, version text)")
    cr.execute("INSERT INTO trace (stage, version) VALUES ('{stage}', %s)", [version])
"""


def test_the_packed_addon_installs(
    odoo: Odoo, installation: Installation, tmp_path: Path, new_database: Callable[..., str]
) -> None:
    """What scripts/addon packs is whole: a server that has nothing else of the checkout takes it."""
    stock = _stock(odoo, installation, tmp_path)
    database = new_database()
    assert stock.install(database, ADDON).complaints() == []
    assert sorted(path.name for path in stock.addons.iterdir()) == [ADDON]
    packed = stock.addons / ADDON / "__manifest__.py"
    assert packed.read_bytes() == (ADDONS / ADDON / "__manifest__.py").read_bytes()
