from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import new_plugin

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("distribution", ["", "acme-mtd-queues"])
def test_a_new_egg_passes_the_contract_as_it_is(distribution: str, tmp_path: Path) -> None:
    egg = new_plugin.create("queue_tree", tmp_path, distribution)
    assert egg.name == (distribution or "mtd-collector-queue-tree")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    environment = os.environ | {"PYTHONPATH": f"{egg}:{ROOT}"}
    ran = subprocess.run(  # noqa: PLW1510 - what it says is wanted, whatever the result
        [*command, str(egg / "tests")], cwd=egg, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout


def test_no_placeholder_is_left(tmp_path: Path) -> None:
    egg = new_plugin.create("dhcp", tmp_path)
    paths = [path for path in egg.rglob("*") if path.is_file()]
    assert {"setup.py", "declaration.py", "README.md", "example.json", "test_contract.py"} <= {
        p.name for p in paths
    }
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for place in ("NAME", "DISTRIBUTION"):
            assert place not in text.replace("EVENT_NAME", ""), path
            assert place not in str(path.relative_to(egg)), path


@pytest.mark.parametrize("name", ["", "Dhcp", "1st", "a-b", "../x", "a__b", "_a"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="isn't a name"):
        new_plugin.create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("distribution", ["Acme", "acme_ups", "-acme", "../x", "acme--ups"])
def test_a_distribution_that_has_no_name_is_refused(distribution: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="isn't a name for a distribution"):
        new_plugin.create("ups", tmp_path, distribution)
    assert list(tmp_path.iterdir()) == []


def test_an_egg_of_ones_own_has_its_name_everywhere(tmp_path: Path) -> None:
    egg = new_plugin.create("ups", tmp_path, "acme-mtd-ups")
    assert (egg / "acme_mtd_ups/declaration.py").is_file()
    setup = (egg / "setup.py").read_text(encoding="utf-8")
    assert 'name="acme-mtd-ups"' in setup
    assert 'entry_points={"mtd": ["ups = acme_mtd_ups"]}' in setup
    assert "from acme_mtd_ups import COLLECTOR" in (egg / "tests/test_contract.py").read_text(
        encoding="utf-8"
    )
    for path in egg.rglob("*.*"):
        if path.is_file():
            assert "mtd-collector" not in path.read_text(encoding="utf-8"), path
            assert "mtd_collector_" not in path.read_text(encoding="utf-8"), path


class Called:
    """Calls the script as a user would."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, *arguments: str | Path, code: int = 0) -> str:
        self._monkeypatch.setattr(sys, "argv", ["new_plugin.py", *map(str, arguments)])
        assert new_plugin.main() == code
        said = self._capsys.readouterr()
        return said.err if code else said.out


@pytest.fixture
def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Called:
    return Called(capsys, monkeypatch)


def test_nothing_is_overwritten(tmp_path: Path, called: Called) -> None:
    arguments = ("ups", "--into", tmp_path, "--distribution", "acme-mtd-ups")
    called(*arguments)
    assert "exists" in called(*arguments, code=1)


def test_it_says_what_is_next(tmp_path: Path, called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = called("ups", "--into", tmp_path, "--distribution", "acme-mtd-ups")
    assert "acme_mtd_ups/declaration.py" in outside
    assert f"pip install --no-build-isolation --no-deps -e {tmp_path / 'acme-mtd-ups'}" in outside
    assert "make setup" not in outside
    assert "catalogue_lock" not in outside
    monkeypatch.setattr(new_plugin, "PLUGINS", tmp_path)
    inside = called("dhcp", "--into", tmp_path)
    assert "mtd_collector_dhcp/declaration.py" in inside
    assert "make setup" in inside
    assert "catalogue_lock" in inside


@pytest.mark.parametrize("more", [(), ("--distribution", "mtd-collector-ups")])
def test_the_names_of_mtds_own_are_for_its_own(more: tuple[str, ...], tmp_path: Path, called: Called) -> None:
    assert "--distribution acme-mtd-dhcp" in called("ups", "--into", tmp_path, *more, code=1)
    assert list(tmp_path.iterdir()) == []


def test_one_of_mtds_own_has_no_other_name(called: Called) -> None:
    assert "say --into" in called("ups", "--distribution", "acme-mtd-ups", code=1)
