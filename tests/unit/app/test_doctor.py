"""Each check of ``mtd doctor`` is content with what is right, and says what is wrong and how to mend it."""

from __future__ import annotations

import datetime as dt
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mtd.app.config import Settings
from mtd.app.doctor.examine import MODULES, findings
from mtd.app.doctor.patient import DaemonState, ask_daemon, named
from mtd.app.doctor.results import AREAS, CHECKS, Verdict
from mtd.cli import main
from mtd.core.errors import Bug
from mtd.security.audit_chain import AuditReport, Problem
from mtd.security.ca import Authority
from mtd.security.keyfile import new_key_line
from mtd.storage.errors import StatementRejected
from mtd.storage.examination import CertificateEnd, Examination, TokenUse
from tests.unit.app.doctor_rig import DAY_US, NOW_US, FakeExamination, Rig, chrony


def test_the_fake_has_the_signatures_of_the_real_one() -> None:
    for name, real in inspect.getmembers(Examination, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(FakeExamination, name)) == inspect.signature(real), name


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


def certificate(rig: Rig, days: float) -> None:
    authority = Authority.new("a door", NOW_US - 400 * DAY_US, 400 + days)
    pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
    assert x509.load_pem_x509_certificate(pem)
    (rig.folder / "door.pem").write_bytes(pem)
    files = {"certificate_file": str(rig.folder / "door.pem"), "key_file": str(rig.folder / "door.key")}
    rig.set("http", tls={"mode": "files", **files})


def archiver(**changes: Any) -> Callable[[Rig], None]:
    def ill(rig: Rig) -> None:
        rig.postgres.archiver = replace(rig.postgres.archiver, **changes)

    return ill


def server(**changes: str) -> Callable[[Rig], None]:
    return lambda rig: rig.postgres.given.update(changes)


def examined(**changes: Any) -> Callable[[Rig], None]:
    def ill(rig: Rig) -> None:
        for name, value in changes.items():
            setattr(rig.postgres, name, value)

    return ill


def configured(section: str, **changes: Any) -> Callable[[Rig], None]:
    return lambda rig: rig.set(section, **changes)


def changed(**changes: Any) -> Callable[[Rig], None]:
    def ill(rig: Rig) -> None:
        for name, value in changes.items():
            setattr(rig, name, value)

    return ill


def without_marker(*more: Callable[[Rig], None]) -> Callable[[Rig], None]:
    def ill(rig: Rig) -> None:
        del rig.settings["doctor"]["backup_marker"]
        for one in more:
            one(rig)

    return ill


def aged(name: str, days: float) -> Callable[[Rig], None]:
    return lambda rig: os.utime(getattr(rig, name), (NOW_US / 1e6 - days * 86400,) * 2)


def spooled(days: float, *, runs: bool) -> Callable[[Rig], None]:
    def ill(rig: Rig) -> None:
        folder = rig.data / "audit-spool"
        folder.mkdir()
        (folder / "1.jsonl").write_text("{}\n")
        os.utime(folder / "1.jsonl", (NOW_US / 1e6 - days * 86400,) * 2)
        if not runs:
            rig.daemon = DaemonState(why="it doesn't run")

    return ill


def key_in_data(rig: Rig) -> None:
    (rig.data / "master.key").write_text(new_key_line())
    (rig.data / "master.key").chmod(0o600)
    del rig.settings["security"]["master_key_file"]


def open_folder(rig: Rig) -> None:
    rig.key.parent.chmod(0o777)


WARN, FAIL, UNCHECKED = Verdict.WARN, Verdict.FAIL, Verdict.NOT_CHECKED
KEPT = configured("privacy", subscribers="kept")
AWAY = changed(postgres=None)
STOPPED = changed(daemon=DaemonState(why="it doesn't run"))
NOT_READY = DaemonState(1, "", ready=False, reasons={"projections": "stuck"})
RETIRED = AuditReport(ok=False, problem_count=2, problems=[Problem(3, "changed", "entry 3 was changed")])

ILL: list[tuple[str, Verdict, str, Callable[[Rig], None]]] = [
    ("tls.grpc", WARN, "off", configured("grpc", tls="off")),
    ("tls.http", WARN, "off", configured("http", tls="off")),
    ("tls.http", WARN, "proxy", configured("http", tls="off", allowed_hosts=["mtd.example.net"])),
    ("tls.certificates", FAIL, "has ended", lambda rig: certificate(rig, -3)),
    ("tls.certificates", WARN, "ends in 5 days", lambda rig: certificate(rig, 5)),
    ("tls.certificates", FAIL, "can't be used", lambda rig: certificate(rig, 50) or (rig.folder / "door.pem").write_text("x")),
    ("tls.collectors", FAIL, "have ended", examined(ends=(CertificateEnd("edge-2", NOW_US - 1),))),
    ("tls.collectors", WARN, "edge-2", examined(ends=(CertificateEnd("edge-2", NOW_US + 2 * DAY_US),))),
    ("access.loopback", WARN, "super-admin", configured("security", trust_loopback=True)),
    ("access.users", FAIL, "nobody may", examined(user_counts={"viewer": 1})),
    ("access.roles", WARN, "all 4 users", examined(user_counts={"admin": 4})),
    ("access.roles", WARN, "6 users are super-admins", examined(user_counts={"super-admin": 6, "viewer": 90})),
    ("access.login", WARN, "no second factor", configured("login", mode="local")),
    ("access.tokens", WARN, "never expire: grafana", examined(token_use=TokenUse(3, ("grafana",), (), ()))),
    ("access.tokens", WARN, "anything: billing", examined(token_use=TokenUse(3, (), ("billing",), ()))),
    ("access.tokens", WARN, "of super-admins: ops", examined(token_use=TokenUse(3, (), (), ("ops",)))),
    ("walls.tables", FAIL, "device", examined(open_walls=("device",))),
    ("walls.tables", FAIL, "event_202601", examined(granted=("event_202601",))),
    ("walls.roles", FAIL, "mtd_door", examined(wrong_roles=("mtd_door",))),
    ("walls.roles", WARN, "owner", configured("database", dsn="host=db.example.net")),
    ("privacy.subscribers", WARN, "kept", KEPT),
    ("audit.chain", FAIL, "entry 3 was changed", changed(report=RETIRED)),
    ("audit.chain", WARN, "no anchor", changed(report=AuditReport(entries=3))),
    ("audit.spool", FAIL, "1 files", spooled(1, runs=True)),
    ("audit.spool", WARN, "1 files", spooled(1, runs=False)),
    ("keys.permissions", FAIL, "mode 0644", lambda rig: rig.key.chmod(0o644)),
    ("keys.permissions", FAIL, "in the place of", open_folder),
    ("keys.permissions", UNCHECKED, "environment", changed(environment={"MTD_MASTER_KEY": "x"})),
    ("keys.age", WARN, "900 days", aged("key", 900)),
    ("keys.apart", WARN, "in the data folder", key_in_data),
    ("backup.marker", FAIL, "240 hours", aged("marker", 10)),
    ("backup.marker", FAIL, "can't be looked at", lambda rig: rig.marker.unlink()),
    ("backup.marker", WARN, "base backup", without_marker()),
    ("backup.marker", WARN, "standbys", without_marker(server(archive_mode="off"), archiver(standbys=2))),
    ("backup.marker", FAIL, "no sign", without_marker(server(archive_mode="off"))),
    ("backup.archive", WARN, "off", server(archive_mode="off")),
    ("backup.archive", FAIL, "last attempt failed", archiver(last_failed_us=NOW_US)),
    ("backup.archive", WARN, "nothing was archived", archiver(archived=0, last_failed_us=0)),
    ("retention.set", WARN, "as mtd came", lambda rig: rig.settings["database"].clear()),
    ("retention.partitions", FAIL, "event_202701", examined(missing=("event_202701",))),
    ("disk.data", FAIL, "1.0 GB", changed(free=(100_000_000_000, 99_000_000_000, 1_000_000_000))),
    ("disk.data", WARN, "10 %", changed(free=(100_000_000_000, 90_000_000_000, 10_000_000_000))),
    ("disk.database", FAIL, "1.0 GB", changed(free=(100_000_000_000, 99_000_000_000, 1_000_000_000))),
    ("disk.database", UNCHECKED, "5.0 GB", configured("database", dsn="host=db.example.net")),
    ("clock.postgres", FAIL, "+9000 ms", examined(offset=(9.0, 0.001))),
    ("clock.postgres", WARN, "-900 ms", examined(offset=(-0.9, 0.001))),
    ("clock.ntp", FAIL, "not set", changed(programs={"chronyc": chrony(offset_s=0, stratum=0, leap="Not synchronised")})),
    ("clock.ntp", WARN, "2000.0 ms", changed(programs={"chronyc": chrony(offset_s=2)})),
    ("clock.ntp", FAIL, "not set", changed(programs={"timedatectl": "no\n"})),
    ("clock.ntp", UNCHECKED, "container", changed(programs={})),
    ("clock.ntp", UNCHECKED, "can't be read", changed(programs={"chronyc": "what?"})),
    ("postgres.reachable", FAIL, "there is no database", AWAY),
    ("postgres.version", FAIL, "14.3", examined(number=140_003)),
    ("postgres.version", WARN, "99.1", examined(number=990_001)),
    ("postgres.schema", FAIL, "schema 3", changed(schema_failure="the database has schema 3")),
    ("postgres.durability", FAIL, "fsync", server(fsync="off")),
    ("postgres.durability", FAIL, "full_page_writes", server(full_page_writes="off")),
    ("postgres.durability", WARN, "synchronous_commit", server(synchronous_commit="off")),
    ("postgres.checksums", WARN, "off", server(data_checksums="off")),
    ("postgres.wal", WARN, "minimal", server(wal_level="minimal")),
    ("postgres.memory", WARN, "16 MiB", server(shared_buffers="2048")),
    ("postgres.connections", FAIL, "may want", server(max_connections="15")),
    ("postgres.connections", WARN, "190 of 197", examined(open_connections=190)),
    ("postgres.autovacuum", FAIL, "off", server(autovacuum="off")),
    ("postgres.autovacuum", WARN, "1,200,000,000", examined(age=1_200_000_000)),
    ("postgres.autovacuum", FAIL, "near the end", examined(age=1_900_000_000)),
    ("postgres.projections", WARN, "7 dead", examined(letters=7)),
    ("daemon.configuration", FAIL, "1 problems", lambda rig: rig.key.chmod(0o644)),
    ("daemon.ready", WARN, "doesn't run", STOPPED),
    ("daemon.ready", FAIL, "projections: stuck", changed(daemon=NOT_READY)),
    ("daemon.user", UNCHECKED, "doesn't run", STOPPED),
]  # fmt: skip
# What only files of a real event log, or the user that runs this, tell: see below.
APART = {"disk.event_log", "daemon.user"}
NEVER_CHECKED = {"alerts.channels", "backup.key", "secrets.open"}


@pytest.mark.parametrize(("name", "verdict", "words", "ill"), ILL)
def test_what_is_wrong_is_told_with_how_to_mend_it(
    rig: Rig, name: str, verdict: Verdict, words: str, ill: Callable[[Rig], None]
) -> None:
    assert rig.finding(name).verdict is Verdict.PASS or name in APART
    ill(rig)
    found = rig.finding(name)
    assert (found.verdict, words in found.found) == (verdict, True), found
    assert found.mend or verdict is UNCHECKED


def test_every_check_passes_and_fails_somewhere_here() -> None:
    names = [check.name for check in CHECKS]
    assert {name for name, *_ in ILL} | APART | NEVER_CHECKED == set(names)
    assert {check.body.__module__ for check in CHECKS} == {module.__name__ for module in MODULES}
    areas = [check.area for check in CHECKS]
    assert areas == sorted(areas, key=AREAS.index)


@pytest.mark.parametrize("name", sorted(NEVER_CHECKED))
def test_what_can_not_be_seen_is_said_honestly(rig: Rig, name: str) -> None:
    found = rig.finding(name)
    assert found.verdict is Verdict.NOT_CHECKED
    assert len(found.found) > 40


def test_without_trust_in_loopback_only_users_and_tokens_help(rig: Rig) -> None:
    rig.postgres.user_counts = {}
    rig.postgres.token_use = TokenUse(1, (), (), ("ops",))
    assert rig.finding("access.users").verdict is Verdict.PASS
    rig.postgres.token_use = TokenUse(0, (), (), ())
    rig.set("security", trust_loopback=True)
    assert rig.finding("access.users").verdict is Verdict.WARN


def test_trust_in_loopback_behind_a_proxy_is_a_failure(rig: Rig) -> None:
    rig.set("security", trust_loopback=True)
    rig.set("login", public_base_url="https://mtd.example.net")
    found = rig.finding("access.loopback")
    assert (found.verdict, "proxy" in found.found) == (Verdict.FAIL, True)


def test_with_postgresql_away_all_else_is_looked_at(rig: Rig) -> None:
    patient = rig.patient()
    patient.examined = None
    found = {one.check: one for one in findings(patient, CHECKS)}
    assert found["postgres.reachable"].verdict is Verdict.FAIL
    assert found["postgres.durability"].verdict is Verdict.NOT_CHECKED
    assert found["keys.permissions"].verdict is Verdict.PASS


def test_what_a_login_may_not_know_is_not_checked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StatementRejected("permission denied for view pg_stat_archiver", "42501")

    monkeypatch.setattr(rig.postgres, "archiving", refuse, raising=False)
    found = rig.finding("backup.archive")
    assert (found.verdict, "permission denied" in found.found) == (Verdict.NOT_CHECKED, True)


def test_errors_of_mtds_own_are_not_hidden(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def err(*_: object) -> None:
        raise Bug("it can't happen")

    monkeypatch.setattr(rig.postgres, "archiving", err, raising=False)
    with pytest.raises(Bug):
        rig.finding("backup.archive")


def test_who_runs_the_daemon(rig: Rig) -> None:
    found = rig.finding("daemon.user")
    assert found.verdict is (Verdict.WARN if os.geteuid() == 0 else Verdict.PASS)
    rig.daemon = DaemonState(2**22 + 1, "", ready=True)
    assert rig.finding("daemon.user").verdict is Verdict.NOT_CHECKED


def test_a_daemon_that_left_its_note_behind(tmp_path: Path) -> None:
    settings = Settings.model_validate({"daemon": {"data_dir": tmp_path}})
    assert "doesn't run" in ask_daemon(settings).why
    (tmp_path / "runtime.json").write_text("{")
    assert "can't be read" in ask_daemon(settings).why
    (tmp_path / "runtime.json").write_text('{"pid": 1, "http_port": 1, "dsn": ""}')
    state = ask_daemon(settings)
    assert "doesn't answer" in state.why
    assert not state.runs


def test_names_are_not_told_without_end() -> None:
    assert named(["a", "b"]) == "a, b"
    assert named([str(number) for number in range(100)]) == "0, 1, 2, 3, 4 and 95 more"


def test_a_certificate_is_good_for_its_time(rig: Rig) -> None:
    certificate(rig, 100)
    found = rig.finding("tls.certificates")
    assert found.verdict is Verdict.PASS
    assert "100 days" in found.found
    assert dt.datetime.fromtimestamp(NOW_US / 1e6, dt.UTC).year == 2027


ROOT = Path(__file__).parents[3]


def test_what_is_said_to_mend_it_with_exists() -> None:
    said = "\n".join(path.read_text() for path in (ROOT / "mtd/app/doctor").glob("*.py"))
    for path in re.findall(r"docs/[a-z0-9-]+\.md", said):
        assert (ROOT / path).exists(), path
    commands = {word for word in re.findall(r"`mtd ([a-z-]+)", said)}
    assert commands <= set(main.list_commands(click.Context(main))), commands
    for section, key in re.findall(
        r"\b(security|database|doctor|event_log|grpc|http|login|privacy)\.([a-z_]+) ?=", said
    ):
        model = Settings.model_fields[section].annotation
        assert key in getattr(model, "model_fields", {}), f"{section}.{key}"


def test_the_document_tells_of_every_check() -> None:
    told = (ROOT / "docs/doctor.md").read_text()
    for check in CHECKS:
        group = check.name.partition(".")[0] + ".*"
        assert f"`{check.name}`" in told or f"`{group}`" in told, check.name
