"""The console's JavaScript: its tests run in node, one process for each file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mtd.testing.missing import skip_without

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(path.name for path in (ROOT / "tests/js").glob("*.test.mjs"))


@pytest.fixture(scope="module")
def node() -> str:
    # What the build would use, with the packages that package-lock.json names.
    found = subprocess.run(
        [ROOT / "scripts/build_console", "--node"], capture_output=True, text=True, check=False, timeout=240
    )
    if found.returncode != 0:
        skip_without(f"the console's packages can't be had: {found.stderr.strip()}")
    return found.stdout.strip()


def test_there_are_tests() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("name", FILES)
def test_javascript(node: str, name: str) -> None:
    ended = subprocess.run(
        [node, "--test", "--test-reporter=spec", f"tests/js/{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
