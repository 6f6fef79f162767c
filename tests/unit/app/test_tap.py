"""``twistd mtd`` that can't start says so and ends with another code than 0."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TWISTD = str(Path(sys.executable).with_name("twistd"))
COMMANDS = [
    pytest.param((TWISTD, "-n", "--reactor=asyncio", "--pidfile=", "mtd"), id="twistd"),
    pytest.param(("-m", "mtd", "run"), id="mtd"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_start_that_fails_ends_with_code_1(command: tuple[str, ...], tmp_path: Path) -> None:
    key = tmp_path / "data" / "master.key"
    key.parent.mkdir()
    key.write_text("no key\n")
    key.chmod(0o600)
    config = tmp_path / "mtd.toml"
    config.write_text(f'[daemon]\ndata_dir = "{key.parent}"\n[http]\nport = 0\n[grpc]\nport = 0\n')
    done = subprocess.run(
        [sys.executable, *command, "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert output.count("mtd can't start: ") == 1
    assert str(key) in output
    assert "Traceback" not in output
