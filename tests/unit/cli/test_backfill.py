"""``mtd backfill`` says what it won't do before it looks for a database."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from mtd.app import backfill as app
from mtd.backfill.fill import Existing, Filled
from mtd.cli import backfill as command
from mtd.storage.partitioned import DAY_US, HOUR_US
from tests.unit.cli.conftest import Commands


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "mtd.toml"
    path.write_text(f'[daemon]\ndata_dir = "{tmp_path / "data"}"\n[database.retention]\nraw_days = 30\n')
    return str(path)


def test_devices_have_to_be_named(mtd: Commands, config: str) -> None:
    assert "use --all or --generate" in mtd("backfill", "-c", config, "--days", "3", code=1).output


def test_what_would_be_dropped_at_once_is_refused(mtd: Commands, config: str) -> None:
    output = mtd("backfill", "--all", "-c", config, code=1).output
    assert "90 days are more than the 30 of database.retention.raw_days" in output


def test_options_become_what_is_wanted(mtd: Commands, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[app.Wanted] = []

    def run(_settings: object, wanted: app.Wanted, report: object, progress: object) -> Filled:
        asked.append(wanted)
        progress(5, 10)  # type: ignore[operator]
        return Filled(10, 2.0, 3)

    monkeypatch.setattr(command, "run_backfill", run)
    options = ("r1", "r2", "--days", "7", "--seed", "5", "--dense", "--existing", "keep", "-c", config)
    assert "3 hours were kept" in mtd("backfill", *options).output
    assert json.loads(mtd("backfill", *options, "--json").output) == {
        "points": 10,
        "duration_s": 2.0,
        "hours_kept": 3,
    }
    assert asked[0] == app.Wanted(("r1", "r2"), days=7, seed=5, dense=True, existing=Existing.KEEP)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[app.Wanted]:
    """What reached the database."""
    found: list[app.Wanted] = []

    def run(_settings: object, wanted: app.Wanted, *_: object) -> Filled:
        found.append(wanted)
        return Filled(10, 2.0, 0)

    monkeypatch.setattr(command, "run_backfill", run)
    return found


@pytest.mark.parametrize("devices", [["r1", "r2"], ["--all"]])
def test_nothing_real_is_deleted_unasked(
    mtd: Commands, config: str, asked: list[app.Wanted], devices: list[str]
) -> None:
    options = ("backfill", *devices, "--existing", "replace", "--days", "3", "-c", config)
    output = mtd(*options, code=2).output
    assert "say --yes" in output
    assert ("r1, r2" if "r1" in devices else "all devices of the inventory") in output
    assert not asked
    mtd(*options, "--yes")
    assert [wanted.existing for wanted in asked] == [Existing.REPLACE]


@pytest.mark.parametrize(("answer", "runs"), [(False, 0), (True, 1)])
def test_a_terminal_is_asked(
    mtd: Commands,
    config: str,
    asked: list[app.Wanted],
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
    runs: int,
) -> None:
    questions: list[str] = []

    def confirm(text: str, **_: object) -> bool:
        questions.append(text)
        if not answer:
            raise click.Abort
        return True

    monkeypatch.setattr(command, "_can_ask", lambda: True)
    monkeypatch.setattr(command.click, "confirm", confirm)
    mtd("backfill", "r1", "--existing", "replace", "--days", "3", "-c", config, code=0 if answer else 1)
    assert "This deletes all telemetry of r1" in questions[0]
    assert len(asked) == runs


def test_what_was_generated_may_go(mtd: Commands, config: str, asked: list[app.Wanted]) -> None:
    mtd("backfill", "--generate", "2", "--existing", "replace", "--days", "3", "-c", config)
    mtd("backfill", "r1", "--existing", "keep", "--days", "3", "-c", config)
    assert len(asked) == 2


@pytest.mark.parametrize("now_us", [490_000 * HOUR_US + 1, 20_000 * DAY_US, 20_001 * DAY_US - 1])
def test_the_last_days_begin_without_a_hole(now_us: int) -> None:
    # What --last 90d asks for begins at this very moment, 90 days ago.
    from_us, until_us = app.span_of_days(now_us, 90)
    assert from_us % DAY_US == 0
    assert now_us - 91 * DAY_US < from_us <= now_us - 90 * DAY_US
    assert now_us - HOUR_US < until_us <= now_us
    assert until_us % HOUR_US == 0


def test_help_has_examples(mtd: Commands) -> None:
    assert "mtd backfill --generate 3 " in mtd("backfill", "--help").output
