"""The log that a configuration names, looked at from outside: on JetStream, while somebody writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtd.app.config import Settings
from mtd.app.doctor.machine import event_log as check_event_log
from mtd.app.doctor.patient import Patient
from mtd.app.doctor.results import NotChecked, Verdict
from mtd.app.event_log import log_reader, log_stats, make_log, verify_log
from mtd.core.errors import NotFound
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.testing import run_async
from mtd.testing.nats import NatsServers, running_servers
from tests.contract.event_log_suite import make_events, numbers


@pytest.fixture(scope="module")
def servers() -> Iterator[NatsServers]:
    with running_servers() as found:
        yield found


def settings_of(servers: NatsServers, folder: Path, name: str, **stream: Any) -> Settings:
    return Settings.model_validate(
        {
            "daemon": {"data_dir": folder, "collector_id": name},
            "event_log": {"backend": "jetstream", "jetstream": servers.settings(**stream)},
        }
    )


def test_a_log_in_a_file_is_what_there_is_unless_another_is_named(tmp_path: Path) -> None:
    log = make_log(Settings.model_validate({"daemon": {"data_dir": tmp_path}}))
    assert isinstance(log, SqliteEventLog)


def test_it_is_seen_from_outside_as_its_writer_sees_it(servers: NatsServers, tmp_path: Path) -> None:
    settings = settings_of(servers, tmp_path, "hub-1")
    with pytest.raises(NotFound, match="mtd-log-hub-1"):
        log_stats(settings)  # which makes none
    with pytest.raises(NotFound):
        log_stats(settings)
    with pytest.raises(NotChecked):
        check_event_log(Patient(settings))
    log = make_log(settings)
    assert isinstance(log, JetStreamEventLog)
    run_async(log.start())
    try:
        for first in (1, 4, 7):
            run_async(log.append(make_events(first, 3)))
        run_async(log.trim(4))
        stats, outside = log.stats(), log_stats(settings)
        assert (
            outside.log_id,
            outside.first_seq,
            outside.last_seq,
            outside.batches,
            outside.stored_bytes,
        ) == (
            *(stats.log_id, stats.first_seq, stats.last_seq),
            *(stats.batches, stats.stored_bytes),
        )
        report = verify_log(settings)
        assert report.ok
        assert (report.first_seq, report.last_seq, report.events) == (4, 9, 6)
        with log_reader(settings) as read:
            assert numbers(read(0, 1000)) == [4, 5, 6, 7, 8, 9]
            assert numbers(read(7, 1000)) == [8, 9]
        assert check_event_log(Patient(settings)).verdict is Verdict.PASS
    finally:
        run_async(log.stop())


def test_the_doctor_tells_what_a_power_cut_would_take(tmp_path: Path) -> None:
    with running_servers(sync_interval='"2m"') as weak:
        settings = settings_of(weak, tmp_path, "hub-1", accept_unsynced=True)
        log = make_log(settings)
        run_async(log.start())
        run_async(log.stop())
        found = check_event_log(Patient(settings))
        assert found.verdict is Verdict.FAIL
        assert "jetstream { sync_interval: always }" in found.mend
    away = check_event_log(Patient(settings))
    assert away.verdict is Verdict.FAIL
    assert "no NATS server can be reached" in away.found
