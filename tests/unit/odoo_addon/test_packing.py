"""scripts/addon: the archive, and the README made of parts."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.unit.odoo_addon.parts import ADDON

SCRIPT = ADDON.parents[1] / "scripts/addon"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other/other.zip"
    for target in (one, other):
        done = run("--into", target)
        assert (done.returncode, done.stdout.strip()) == (0, str(target)), done.stderr
    assert one.read_bytes() == other.read_bytes()
    assert [path.name for path in other.parent.iterdir()] == ["other.zip"]


def test_the_archive_holds_the_addon_its_tests_and_its_licence(tmp_path: Path) -> None:
    run("--into", tmp_path / "addon.zip")
    with zipfile.ZipFile(tmp_path / "addon.zip") as archive:
        names = archive.namelist()
        manifest = archive.read(f"{ADDON.name}/__manifest__.py")
    assert manifest == (ADDON / "__manifest__.py").read_bytes()
    assert {name.split("/")[0] for name in names} == {ADDON.name}
    wanted = ("LICENSE", "README.md", "__init__.py", "tests/__init__.py", "static/description/icon.png")
    assert {f"{ADDON.name}/{one}" for one in wanted} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "/." in name]


def test_the_readme_is_made_of_its_parts() -> None:
    done = run("--check")
    assert done.returncode == 0, done.stderr


def test_who_asks_is_told_how() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--into" in done.stdout
