"""What is built contains what it must, and leaves Twisted alone."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EGGS = sorted(path.parent for path in ROOT.glob("plugins/*/setup.py") if path.parent.name != "TEMPLATE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build the wheel from a copy: a build leaves folders behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "mtd", source / "mtd", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", source / "out", source], check=True, timeout=100)
    (path,) = (source / "out").glob("mtd-*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_wheel_has_every_module_and_data_file(wheel: zipfile.ZipFile) -> None:
    expected = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.pyi", "*.sql", "*.toml", "py.typed")
        for path in (ROOT / "mtd").rglob(pattern)
        if "dropin" not in path.parts
    }
    assert {name for name in expected if name.endswith(".sql")}
    assert {name for name in expected if name.endswith(".toml")}
    assert expected - set(wheel.namelist()) == set()


def test_wheel_adds_one_file_to_twisted(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if name.startswith("twisted/")]
    assert names == ["twisted/plugins/mtd_plugin.py"]


def test_wheel_has_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mtd", "twisted"}


def test_client_needs_grpc_and_protobuf_only(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    needed = [
        line.split(":")[1].split(">")[0].strip()
        for line in wheel.read(name).decode().splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert sorted(needed) == ["grpcio", "protobuf"]


def test_every_egg_has_its_import_contract() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    packages = {package.name for egg in EGGS for package in egg.glob("mtd_collector_*")}
    assert packages
    for section, key in [
        ("importlinter", "root_packages"),
        ("importlinter:contract:eggs", "source_modules"),
        ("importlinter:contract:eggs-apart", "modules"),
    ]:
        assert packages == {name for name in config[section][key].split() if name != "mtd"}


def test_drop_in_folders_have_no_init() -> None:
    # With one, removing mtd would delete Twisted's own file of that name.
    assert list((ROOT / "mtd/dropin").rglob("__init__.py")) == []


def tools(folder: Path, *names: str) -> str:
    """Return a PATH that has these programs and no others."""
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def checkout_copy(folder: Path) -> Path:
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/setup_env", folder / "scripts")
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_setup_says_which_python_is_missing(tmp_path: Path) -> None:
    copy = checkout_copy(tmp_path / "copy")
    (tmp_path / "bin").mkdir()
    path = tools(
        tmp_path / "bin", "awk", "bash", "cat", "cut", "dirname", "paste", "rm", "sha256sum", "sort", "tee"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHON"} | {"PATH": path}
    result = subprocess.run(
        [copy / "scripts/setup_env"], env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 1
    assert "no Python 3.11 or newer" in result.stderr
    assert "python3-venv" in result.stderr
    assert not (copy / ".venv").exists()


def test_setup_refuses_an_unknown_extra(tmp_path: Path) -> None:
    copy = checkout_copy(tmp_path / "copy")
    result = subprocess.run(
        [copy / "scripts/setup_env", "--extras", "daemon,typo"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode == 1
    assert "unknown extra 'typo'" in result.stderr
