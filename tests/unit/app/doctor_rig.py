"""An installation for the tests of ``mtd doctor``: in the best of health, unless told otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mtd.app.config import Settings
from mtd.app.doctor import guarding, machine
from mtd.app.doctor.examine import findings
from mtd.app.doctor.patient import DaemonState, Patient
from mtd.app.doctor.results import CHECKS, Finding
from mtd.core.clock import Clock
from mtd.core.config import load_config
from mtd.security.audit_chain import AuditReport
from mtd.security.keyfile import new_key_line
from mtd.storage.examination import Archiving, CertificateEnd, TokenUse

NOW_US = 1_800_000_000_000_000
DAY_US = 86_400_000_000
HEALTHY_SETTINGS = {
    "archive_mode": "on",
    "archive_command": "pgbackrest archive-push %p",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "wal_level": "replica",
    "shared_buffers": str(512 * 1024 * 1024 // 8192),
    "max_connections": "200",
    "superuser_reserved_connections": "3",
    "autovacuum": "on",
    "track_counts": "on",
}


class FixedClock:
    def now_us(self) -> int:
        return NOW_US

    def monotonic(self) -> float:
        return 0.0


@dataclass
class FakeExamination:
    """A PostgreSQL in the best of health, unless told otherwise."""

    given: dict[str, str] = field(default_factory=lambda: dict(HEALTHY_SETTINGS))
    number: int = 170_002
    offset: tuple[float, float] = (0.001, 0.0005)
    archiver: Archiving = Archiving(100, NOW_US - 60_000_000, 1, NOW_US - DAY_US, 0)
    age: int = 1_000_000
    open_connections: int = 12
    open_walls: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    wrong_roles: tuple[str, ...] = ()
    user_counts: dict[str, int] = field(default_factory=lambda: {"super-admin": 2, "viewer": 5})
    token_use: TokenUse = TokenUse(2, (), (), ())
    ends: tuple[CertificateEnd, ...] = (CertificateEnd("edge-1", NOW_US + 20 * DAY_US),)
    missing: tuple[str, ...] = ()
    letters: int = 0

    def settings(self, *names: str) -> dict[str, str]:
        return {name: self.given[name] for name in names if name in self.given}

    def version(self) -> int:
        return self.number

    def clock_offset_s(self, clock: Clock) -> tuple[float, float]:
        return self.offset

    def archiving(self) -> Archiving:
        return self.archiver

    def oldest_transaction_age(self) -> int:
        return self.age

    def connections(self) -> int:
        return self.open_connections

    def database_bytes(self) -> int:
        return 5_000_000_000

    def data_directory(self) -> str:
        return "/nowhere"

    def open_tables(self) -> list[str]:
        return list(self.open_walls)

    def granted_partitions(self) -> list[str]:
        return list(self.granted)

    def open_roles(self) -> list[str]:
        return list(self.wrong_roles)

    def users(self) -> dict[str, int]:
        return self.user_counts

    def tokens(self) -> TokenUse:
        return self.token_use

    def certificates(self) -> list[CertificateEnd]:
        return list(self.ends)

    def missing_partitions(self, now_us: int) -> list[str]:
        return list(self.missing)

    def dead_letters(self) -> int:
        return self.letters

    def devices(self) -> int:
        return 3


class Rig:
    """An installation in the best of health, on disk as far as it is files."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = tmp_path
        self.data = tmp_path / "data"
        (self.data / "postgres").mkdir(parents=True)
        self.key = tmp_path / "keys" / "master.key"
        self.key.parent.mkdir(mode=0o700)
        self.key.write_text(new_key_line())
        self.key.chmod(0o600)
        self.marker = tmp_path / "backup-done"
        self.marker.touch()
        for path in (self.key, self.marker):
            os.utime(path, (NOW_US / 1e6 - 3600, NOW_US / 1e6 - 3600))
        self.settings: dict[str, dict[str, Any]] = {
            "daemon": {"data_dir": str(self.data)},
            "security": {"trust_loopback": False, "master_key_file": str(self.key)},
            "grpc": {"tls": "internal"},
            "http": {"tls": "internal"},
            "login": {"mode": "oidc"},
            "oidc": {"issuer": "https://login.example.net", "client_id": "mtd"},
            "database": {"retention": {"raw_days": 90}},
            "doctor": {"backup_marker": str(self.marker)},
        }
        self.postgres = FakeExamination()
        self.daemon = DaemonState(os.getpid(), "", ready=True)
        self.report = AuditReport(entries=10, anchors=3)
        self.schema_failure = ""
        self.environment: dict[str, str] = {}
        self.free = (100_000_000_000, 50_000_000_000, 50_000_000_000)
        self.programs: dict[str, str] = {"chronyc": chrony(offset_s=0.0001)}
        self.is_root = False
        monkeypatch.setattr(guarding, "verify_chain", lambda dsn, anchors: self.report)
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: shutil_usage(*self.free))
        monkeypatch.setattr(machine, "output_of", lambda name, *rest: self.programs.get(name))

    def set(self, section: str, **values: Any) -> None:
        self.settings.setdefault(section, {}).update(values)

    def patient(self) -> Patient:
        path = self.folder / "mtd.toml"
        lines = []
        for section, values in self.settings.items():
            plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
            lines += [f"[{section}]", *(f"{name} = {toml(value)}" for name, value in plain.items())]
            for name, inner in values.items():
                if isinstance(inner, dict):
                    lines += [
                        f"[{section}.{name}]",
                        *(f"{key} = {toml(value)}" for key, value in inner.items()),
                    ]
        path.write_text("\n".join(lines) + "\n")
        examined: Any = self.postgres
        return Patient(
            load_config(Settings, path, {}),
            "dsn",
            examined,
            schema_failure=self.schema_failure,
            daemon=self.daemon,
            environment=self.environment,
            clock=FixedClock(),
        )

    def finding(self, name: str) -> Finding:
        (check,) = [check for check in CHECKS if check.name == name]
        (found,) = findings(self.patient(), [check])
        return found


@dataclass
class Usage:
    total: int
    used: int
    free: int


def shutil_usage(*figures: int) -> Usage:
    return Usage(*figures)


def toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def chrony(*, offset_s: float, stratum: int = 3, leap: str = "Normal") -> str:
    return f"C0000201,192.0.2.1,{stratum},1800000000.1,{offset_s},0,0,0,0,0,0,0,64,{leap}\n"
