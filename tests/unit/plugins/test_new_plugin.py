from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import new_plugin

ROOT = Path(__file__).resolve().parents[3]


def test_a_new_egg_passes_the_contract_as_it_is(tmp_path: Path) -> None:
    egg = new_plugin.create("queue_tree", tmp_path)
    assert egg.name == "mtd-collector-queue-tree"
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


def test_nothing_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    new_plugin.create("dhcp", tmp_path)
    monkeypatch.setattr(sys, "argv", ["new_plugin.py", "dhcp", "--into", str(tmp_path)])
    assert new_plugin.main() == 1
    assert "exists" in capsys.readouterr().err


def test_it_says_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["new_plugin.py", "dhcp", "--into", str(tmp_path)])
    assert new_plugin.main() == 0
    assert "mtd_collector_dhcp/declaration.py" in capsys.readouterr().out
