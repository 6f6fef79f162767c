"""What the setup scripts do where a network or a program is missing: tried on copies, with stand-ins for programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def program(path: Path, *lines: str) -> Path:
    """Write a program of the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/usr/bin/env bash", *lines, ""]))
    path.chmod(0o755)
    return path


def run(command: list[Path | str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script, with CI set only if that is asked for."""
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        command, env=inherited | environment, capture_output=True, text=True, check=False, timeout=60
    )


# -- the console, where npm's registry can't be reached ------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy with an environment that pip has nothing to do for, and a build that fails and notes that it was tried."""
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/setup_env", folder / "scripts")
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    program(folder / ".venv/bin/python", f'[ "$1" != -c ] || echo {folder}')
    program(folder / "scripts/build_console", "echo tried >>builds; exit 1")
    return folder


def builds(checkout: Path) -> int:
    """Return how often the console was tried to build."""
    path = checkout / "builds"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_without_a_console_all_else_is_set_up(checkout: Path) -> None:
    first = run([checkout / "scripts/setup_env"])
    assert first.returncode == 0, first.stderr
    assert "NO CONSOLE" in first.stderr
    assert (checkout / ".venv/mtd-setup.stamp").exists()
    again = run([checkout / "scripts/setup_env"])
    assert again.returncode == 0
    # Said each time, tried once an hour: without a network that takes minutes.
    assert "NO CONSOLE" in again.stderr
    assert builds(checkout) == 1
    os.utime(checkout / ".venv/console-failed", (0, 0))
    run([checkout / "scripts/setup_env"])
    assert builds(checkout) == 2


@pytest.mark.parametrize(("arguments", "environment"), [(["--console"], {}), ([], {"CI": "true"})])
def test_where_the_console_is_needed_it_has_to_be_built(
    checkout: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    run([checkout / "scripts/setup_env"])
    needed = run([checkout / "scripts/setup_env", *arguments], **environment)
    assert needed.returncode == 1
    assert "were not built" in needed.stderr
    assert builds(checkout) == 2
    program(checkout / "scripts/build_console", "exit 0")
    assert run([checkout / "scripts/setup_env", *arguments], **environment).returncode == 0
    assert "NO CONSOLE" not in run([checkout / "scripts/setup_env"]).stderr


# -- programs of Debian ------------------------------------------------------------


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy on a machine that has apt-get, as a user who isn't root, and little else."""
    folder = tmp_path / "bare"
    (folder / "scripts").mkdir(parents=True)
    (folder / ".venv").mkdir()
    shutil.copy(ROOT / "scripts/setup_tools", folder / "scripts")
    for name in (
        "bash", "cat", "chmod", "cp", "dirname", "env", "find", "flock", "mkdir", "mktemp", "mv", "rm", "timeout", "touch",
    ):  # fmt: skip
        found = shutil.which(name)
        assert found is not None
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).symlink_to(found)
    program(folder / "bin/id", "echo 1000")
    apt_gives(folder, works=True)
    return folder


def apt_gives(bare: Path, *, works: bool, unpacks: bool = True) -> None:
    """Let apt-get download a package, and dpkg unpack it: wholly, or with a program that doesn't run."""
    program(
        bare / "bin/apt-get",
        f"echo called >>{bare}/calls",
        *(["touch prometheus_1.deb"] if works else ["exit 1"]),
    )
    program(
        bare / "bin/dpkg",
        "mkdir -p $3/usr/bin",
        "for name in prometheus promtool; do",
        f"    printf '#!/usr/bin/env bash\\nexit {0 if unpacks else 127}\\n' >$3/usr/bin/$name",
        "    chmod +x $3/usr/bin/$name",
        "done",
    )  # fmt: skip


def setup_tools(bare: Path, *names: str, **environment: str) -> str:
    """Run the script; return what it says."""
    done = run([bare / "scripts/setup_tools", *names], PATH=str(bare / "bin"), **environment)
    assert done.returncode == 0, done.stderr
    return done.stderr


def calls(bare: Path) -> int:
    """Return how often apt-get was called."""
    path = bare / "calls"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_what_is_unpacked_is_there_for_good(bare: Path) -> None:
    assert "Prometheus is in .venv/tools" in setup_tools(bare, "prometheus")
    before = calls(bare)
    assert setup_tools(bare, "prometheus") == ""
    assert calls(bare) == before
    assert {path.name for path in (bare / ".venv").iterdir()} == {"tools", "tools.lock"}


def test_a_program_that_does_not_run_is_not_taken_for_done(bare: Path) -> None:
    apt_gives(bare, works=True, unpacks=False)
    assert "are skipped" in setup_tools(bare, "prometheus")
    assert not (bare / ".venv/tools/usr").exists()
    apt_gives(bare, works=True)
    assert "Prometheus is in .venv/tools" in setup_tools(bare, "prometheus", CI="true")
    assert (bare / ".venv/tools/usr/bin/promtool").exists()


def test_what_failed_is_tried_again_after_an_hour_or_where_ci_is_set(bare: Path) -> None:
    apt_gives(bare, works=False)
    assert "are skipped" in setup_tools(bare, "prometheus")
    before = calls(bare)
    assert "are skipped" in setup_tools(bare, "prometheus")
    assert calls(bare) == before
    setup_tools(bare, "prometheus", CI="true")
    assert calls(bare) > before
    before = calls(bare)
    os.utime(bare / ".venv/tools/prometheus.failed", (0, 0))
    setup_tools(bare, "prometheus")
    assert calls(bare) > before


def test_only_what_is_asked_for_is_looked_for(bare: Path) -> None:
    assert "Prometheus" not in setup_tools(bare, "chromium")
    assert calls(bare) == 0
    assert "unknown tool" in run([bare / "scripts/setup_tools", "vim"], PATH=str(bare / "bin")).stderr


def test_root_renews_the_lists_of_packages_once(bare: Path) -> None:
    apt_gives(bare, works=False)
    program(bare / "bin/id", "echo 0")
    program(bare / "bin/apt-get", f'echo "$@" >>{bare}/calls; exit 1')
    setup_tools(bare)
    asked = (bare / "calls").read_text().splitlines()
    assert sum(line.endswith(" update") for line in asked) == 1
