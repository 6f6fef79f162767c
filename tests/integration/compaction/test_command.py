"""``mtd storage compact``."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from mtd.cli import main
from mtd.compaction.messages import Message, Trouble
from mtd.compaction.rounds import Rounds
from mtd.core.clock import SYSTEM_CLOCK
from mtd.storage.cold import upkeep
from mtd.storage.cold.upkeep import one_round
from mtd.storage.partitioned import DAY_US, HOUR_US
from tests.integration.compaction.kit import LAYOUT, S, ask, cold, declare, expected, polls, put, settings

CLOSED = SYSTEM_CLOCK.now_us() // DAY_US * DAY_US - 2 * DAY_US  # by the clock of the machine


def run(dsn: str, tmp_path: Path, *arguments: str) -> tuple[int, str]:
    path = tmp_path / "mtd.toml"
    path.write_text(f"[database]\ndsn = {json.dumps(dsn)}\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["storage", "compact", "--config", str(path), *arguments])
    return result.exit_code, result.stdout


def test_a_round_in_the_foreground(postgres_dsn: str, tmp_path: Path) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(100, CLOSED)
    put(postgres_dsn, frames)
    code, printed = run(postgres_dsn, tmp_path)
    assert code == 0, printed
    assert "1 hour(s) of devices are blocks now: 100 polls with 320 values" in printed
    assert "1 emptied partition(s) are gone" in printed
    assert cold(postgres_dsn) == expected(frames)
    code, printed = run(postgres_dsn, tmp_path)
    assert (code, "No closed hour was left" in printed) == (0, True)


def test_json_and_what_failed(postgres_dsn: str, tmp_path: Path) -> None:
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, polls(10, CLOSED))
    ask(postgres_dsn, "UPDATE telemetry_frame SET counters = '{1}' WHERE seq = 3")
    code, printed = run(postgres_dsn, tmp_path, "--json")
    report = json.loads(printed)
    assert code == 1
    assert (report["units"], report["waiting"]) == (0, 1)
    assert "1 counters" in report["failures"][0]


def test_up_to_a_time(postgres_dsn: str, tmp_path: Path) -> None:
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, polls(10, CLOSED) + polls(10, CLOSED + 3600 * S))
    code, printed = run(
        postgres_dsn,
        tmp_path,
        "--json",
        "--until",
        f"{dt.datetime.fromtimestamp(CLOSED // S + 3600, dt.UTC):%Y-%m-%d %H:%M}",
    )
    assert (code, json.loads(printed)["units"]) == (0, 1)


def test_an_hour_that_is_not_over_waits_whatever_the_time_that_is_given(
    postgres_dsn: str, tmp_path: Path
) -> None:
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, polls(10, SYSTEM_CLOCK.now_us() // HOUR_US * HOUR_US))
    code, printed = run(postgres_dsn, tmp_path, "--json", "--until", "2199-01-01 00:00")
    assert (code, json.loads(printed)["units"]) == (0, 0)
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_frame") == [(10,)]


def test_who_has_the_turn_is_told_and_waiting_can_be_ended(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when ``mtd storage compact`` was stopped by Ctrl-Z: its connection stays, and its turn."""
    for name, seconds in (("_TURN_S", 0.05), ("_TELL_FIRST_S", 0.1), ("_TELL_AGAIN_S", 0.5)):
        monkeypatch.setattr(upkeep, name, seconds)
    declare(postgres_dsn, LAYOUT)
    frames = polls(10, CLOSED)
    put(postgres_dsn, frames)
    said: list[Message] = []
    stop = threading.Event()
    with Rounds(postgres_dsn, settings(), said.append, stop, patient=False) as command:
        with one_round(command.connection, stop.wait, stop.is_set, lambda *_: None) as its:
            assert its
            with Rounds(postgres_dsn, settings(late_alarm_s=1), said.append, stop) as daemons:
                waiting = threading.Thread(target=daemons.run)
                waiting.start()
                deadline = time.monotonic() + 20
                while not any(isinstance(one, Trouble) and one.what == "database" for one in said):
                    assert time.monotonic() < deadline
                    waiting.join(0.05)
                stop.set()
                waiting.join(20)
                assert not waiting.is_alive()
        first, *_, last = said
        assert isinstance(first, Trouble)
        assert (first.what, "mtd storage compact on this host, process" in first.reason) == ("turn", True)
        # Longer than an hour may be late: that is for an operator.
        assert isinstance(last, Trouble)
        assert last.what == "database"
    assert cold(postgres_dsn) == {}
    stop.clear()
    with Rounds(postgres_dsn, settings(), said.append, stop) as daemons:
        daemons.run()
    assert cold(postgres_dsn) == expected(frames)


def test_it_takes_turns_with_the_daemon(postgres_dsn: str, tmp_path: Path) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(10, CLOSED)
    put(postgres_dsn, frames)
    stop = threading.Event()
    said: list[Message] = []
    with Rounds(postgres_dsn, settings(), said.append, stop) as daemons:
        other = threading.Thread(target=daemons.run)
        other.start()
        code, _ = run(postgres_dsn, tmp_path, "--json")
        other.join()
    assert code == 0
    assert cold(postgres_dsn) == expected(frames)
