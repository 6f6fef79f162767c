"""What checks look at: the configuration, and PostgreSQL and the daemon, as far as they answer."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtd.app.config import Settings
from mtd.app.doctor.results import NotChecked
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.storage.examination import Examination

_ANSWER_S = 5.0
_PROGRAM_S = 5.0


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The daemon of this data folder. ``why``: what keeps us from asking it; ``ready`` is what `/readyz` says."""

    pid: int = 0
    why: str = ""
    ready: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether it answers."""
        return not self.why


@dataclass(slots=True)
class Patient:
    """One installation. ``examined`` is None where PostgreSQL can't be asked, for ``database_failure``."""

    settings: Settings
    dsn: str = ""
    examined: Examination | None = None
    database_failure: str = "there is no database"
    schema_failure: str = ""
    daemon: DaemonState = field(default_factory=lambda: DaemonState(why="it doesn't run"))
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Clock = SYSTEM_CLOCK

    @property
    def postgres(self) -> Examination:
        """PostgreSQL. Raises NotChecked if it can't be asked."""
        if self.examined is None:
            raise NotChecked("PostgreSQL can't be asked: see postgres.reachable")
        return self.examined

    @property
    def schema(self) -> Examination:
        """PostgreSQL with mtd's tables in it. Raises NotChecked."""
        examined = self.postgres
        if self.schema_failure:
            raise NotChecked(self.schema_failure)
        return examined

    @property
    def data_dir(self) -> Path:
        """The data folder. Raises NotChecked if there is none."""
        path = self.settings.daemon.data_dir
        if not path.is_dir():
            raise NotChecked(f"there is no data folder {path} yet")
        return path


def ask_daemon(settings: Settings) -> DaemonState:
    """Ask the daemon of a data folder how it is."""
    path = settings.daemon.data_dir / "runtime.json"
    try:
        told: Any = json.loads(path.read_text())
        pid, port = int(told["pid"]), int(told["http_port"])
    except FileNotFoundError:
        return DaemonState(why="it doesn't run")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return DaemonState(why=f"{path} can't be read: {error}")
    secure = settings.http.tls.on
    url = f"{'https' if secure else 'http'}://{_address(settings.http.host)}:{port}/readyz"
    try:
        return DaemonState(pid, "", *_readiness(url, secure=secure))
    except (OSError, ValueError, KeyError) as error:
        return DaemonState(pid, why=f"it doesn't answer at {url}: {error}")


def _readiness(url: str, *, secure: bool) -> tuple[bool, Mapping[str, str]]:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=_unverified() if secure else None),
    )
    try:
        with opener.open(url, timeout=_ANSWER_S) as answer:
            told = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            told = json.loads(error.read())
    return bool(told["ready"]), dict(told["reasons"])


def _unverified() -> ssl.SSLContext:
    # On this machine, and nothing is told that is secret: the certificate is looked at by a check of its own.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _address(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - not to listen on
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def output_of(*command: str) -> str | None:
    """Return what a program of this machine prints; None if it isn't there or fails."""
    path = shutil.which(command[0])
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - programs of the system, by name
            [path, *command[1:]], capture_output=True, text=True, timeout=_PROGRAM_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def named(names: Sequence[str], most: int = 5) -> str:
    """Return names for people: the first of them, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
