"""Start, adopt, watch and stop the embedded server."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import psycopg2.extensions

from mtd.core.backoff import Backoff
from mtd.core.errors import Misconfigured, MtdError
from mtd.core.service import TaskGroup
from mtd.storage.config import EmbeddedConfig
from mtd.storage.embedded import cluster, pidfile
from mtd.storage.embedded.account import Account, choose_account, reachable_installation
from mtd.storage.embedded.databases import create_database, make_roles
from mtd.storage.errors import StorageUnavailable
from mtd.storage.metrics import POSTGRES_RESTARTS
from mtd.storage.roles import DOOR_LOGIN

logger = logging.getLogger(__name__)

DATABASE = "mtd"
_SOCKET_PATH_MAX = 107  # bytes of sun_path on Linux, without the final NUL
_POLL_S = 0.02
_WATCH_S = 0.5
_ATTEMPTS = 5


class EmbeddedPostgres:
    """The PostgreSQL of one folder.

    Of several processes that start it, the first owns it (by a lock on the
    folder) and stops it; the others get its connection string and leave it
    alone. A server that outlived its owner is adopted. While owned, a server
    that dies is started again on the same port.
    """

    def __init__(self, data_dir: Path, config: EmbeddedConfig | None = None) -> None:
        self._dir = data_dir.absolute()
        self._config = config or EmbeddedConfig()
        self._tasks = TaskGroup("storage.embedded")
        self._lock: IO[str] | None = None
        self._turn = threading.Lock()  # a restart by the watch, and stop, are in threads
        self._starting: asyncio.Future[str] | None = None
        self._abandoned = threading.Event()  # a start under way is to end
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._port = 0
        self._account: Account | None = None
        self._installation = Path()
        self._data = Path()
        self._socket_dir = Path()
        self._password = ""
        self._door_password = ""

    @property
    def owner(self) -> bool:
        """Whether this object started or adopted the server, and will stop it."""
        return self._lock is not None

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._pid

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self._data

    @property
    def dsn(self) -> str:
        """Connection string; only good after the start. It holds the password."""
        return self.dsn_of(DATABASE)

    @property
    def door_dsn(self) -> str:
        """Connection string of the doors' login, which can't become the owner of the tables."""
        return self.door_dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        """Return the connection string of another database of this server."""
        return self._dsn_for(cluster.SUPERUSER, self._password, database)

    def door_dsn_of(self, database: str) -> str:
        """Return the connection string of the doors' login to another database of this server."""
        return self._dsn_for(DOOR_LOGIN, self._door_password, database)

    def _dsn_for(self, user: str, password: str, database: str) -> str:
        return psycopg2.extensions.make_dsn(
            host=str(self._socket_dir), port=self._port, user=user, password=password, dbname=database
        )

    async def start(self) -> str:
        """Start or adopt the server and return the connection string."""
        self._abandoned.clear()
        self._starting = asyncio.ensure_future(asyncio.to_thread(self.start_blocking))
        # A thread can't be cancelled: `stop` waits for it, so that no server is left behind.
        dsn = await asyncio.shield(self._starting)
        if self.owner:
            self._tasks.spawn("watch", self._watch())
        return dsn

    async def stop(self) -> None:
        """Stop the server, if it is ours; a start under way is given up. Bounded in time."""
        self._abandoned.set()
        await self._tasks.stop()
        if self._starting is not None:
            await asyncio.gather(asyncio.shield(self._starting), return_exceptions=True)
        await asyncio.to_thread(self.stop_blocking)

    def start_blocking(self) -> str:
        """Do as ``start`` does, in a thread or a program without a loop, and without the watch."""
        _make_folder(self._dir)
        owned = self._acquire()
        try:
            self._prepare()
            if owned:
                self._run()
            else:
                self._attach()
            create_database(self.dsn_of("postgres"), DATABASE)
            if owned:
                make_roles(self.dsn_of(DATABASE), self._door_password)
        except BaseException:
            self.stop_blocking()
            raise
        return self.dsn

    def stop_blocking(self) -> None:
        """Do as ``stop`` does, blocking."""
        with self._turn:
            if self._lock is None:
                return
            try:
                if self._pid:
                    pidfile.stop_server(self._pid, self._data, self._config.stop_timeout_s)
                if self._process is not None:
                    self._process.wait(self._config.stop_timeout_s)
            finally:
                self._pid, self._process = 0, None
                self._lock.close()
                self._lock = None

    def _acquire(self) -> bool:
        lock = (self._dir / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _prepare(self) -> None:
        self._account = choose_account(self._config.os_user)
        home = self._home(self._account)
        self._data = home / "data"
        self._socket_dir = self._make_socket_dir(home, self._account)
        self._password = cluster.read_or_make_password(self._dir / "password")
        self._door_password = cluster.read_or_make_password(self._dir / "door.password")
        if self.owner:
            self._installation = reachable_installation(self._account, home)

    def _home(self, account: Account) -> Path:
        """Return the folder for the cluster: ours, or another one if the account can't enter it."""
        if account.can_enter(self._dir):
            return self._dir
        home = self._elsewhere()
        if not home.exists():
            _make_folder(home)
            logger.warning(
                "user %s can't enter %s: PostgreSQL's data is in %s", account.name, self._dir, home
            )
        if not account.can_enter(home):
            raise Misconfigured(
                f"user {account.name} can enter neither {self._dir} nor {home}: "
                "choose another folder with database.embedded.fallback_dir, or set database.dsn"
            )
        return home

    def _elsewhere(self) -> Path:
        """Return the place for what can't be in our folder; noted there, so that a new folder gets a new place."""
        note = self._dir / "location"
        if note.exists():
            return Path(note.read_text(encoding="utf-8").strip())
        temporary = Path(tempfile.gettempdir())
        base = temporary if self._dir.is_relative_to(temporary) else self._config.fallback_dir
        place = base / f"mtd-postgres-{secrets.token_hex(6)}"
        note.write_text(f"{place}\n", encoding="utf-8")
        return place

    @staticmethod
    def _make_socket_dir(home: Path, account: Account) -> Path:
        folder = home / "socket"
        if len(os.fsencode(folder / ".s.PGSQL.65535.lock")) > _SOCKET_PATH_MAX:
            mark = hashlib.sha256(str(home).encode()).hexdigest()[:12]
            folder = Path(tempfile.gettempdir()) / f"mtd-postgres-{account.uid}-{mark}"
        account.make_dir(folder)
        found = folder.lstat()
        # In the system's temporary folder someone else may have been first.
        if found.st_uid != account.uid or found.st_mode & 0o077 or not folder.is_dir():
            raise Misconfigured(
                f"{folder} must be a folder of user {account.name} that nobody else can enter"
            )
        return folder

    def _run(self) -> None:
        assert self._account is not None
        cluster.make_cluster(
            self._account, self._installation, self._data, self._password, durable=self._config.durable
        )
        self._go_on()
        changed = cluster.write_settings(self._account, self._data, self._config, self._socket_dir)
        pid = pidfile.pid_in_file(self._data)
        if pid is not None and pidfile.is_server_of(pid, self._data):
            if not changed and self._adopt(pid):
                return
            pidfile.stop_server(pid, self._data, self._config.stop_timeout_s)
        self._spawn()

    def _adopt(self, pid: int) -> bool:
        """Take over a server that outlived its owner."""
        running = self._wait_ready(pid)
        if self._config.port not in (0, running.port) or running.socket_dir != str(self._socket_dir):
            return False
        self._pid, self._port = running.pid, running.port
        logger.info("adopted the running PostgreSQL, pid %d, on %s", self._pid, self._data)
        return True

    def _attach(self) -> None:
        deadline = time.monotonic() + self._config.start_timeout_s
        while time.monotonic() < deadline and not self._abandoned.is_set():
            running = pidfile.read_pid_file(self._data)
            if running is not None and running.ready and pidfile.is_server_of(running.pid, self._data):
                self._pid, self._port = running.pid, running.port
                return
            time.sleep(_POLL_S)  # noqa: TID251 - in a thread
        raise StorageUnavailable(f"another process owns {self._dir}, but its PostgreSQL doesn't become ready")

    def _spawn(self) -> None:
        """Start the server; again if the port was taken or leftovers of a killed one are still ending."""
        backoff = Backoff(first_s=0.1, cap_s=2.0)
        for attempt in range(_ATTEMPTS):
            self._go_on()
            pidfile.remove_stale_pid_file(self._data)
            self._port = self._port or self._config.port or _free_port()
            process = self._launch()
            try:
                self._wait_ready(process.pid, process)
            except StorageUnavailable:
                if process.poll() is None:
                    pidfile.stop_server(process.pid, self._data, self._config.stop_timeout_s)
                    process.wait()
                if attempt == _ATTEMPTS - 1 or self._abandoned.is_set():
                    raise
                logger.warning("PostgreSQL did not start, trying again: %s", self._log_tail())
                time.sleep(backoff.next_delay())  # noqa: TID251 - in a thread
            else:
                self._process, self._pid = process, process.pid
                return

    def _launch(self) -> subprocess.Popen[bytes]:
        assert self._account is not None
        log = self._dir / "postgres.log"
        if log.exists() and log.stat().st_size > self._config.log_max_bytes:
            log.replace(log.with_suffix(".log.1"))
        # It may quote statements, and these hold what routers say.
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            os.fchmod(descriptor, 0o600)
            # A session of its own: Ctrl-C goes to the daemon, which still has to write.
            return subprocess.Popen(
                self._account.command(
                    self._installation / "bin" / "postgres", "-D", str(self._data), "-p", str(self._port)
                ),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )

    def _wait_ready(self, pid: int, process: subprocess.Popen[bytes] | None = None) -> pidfile.RunningServer:
        deadline = time.monotonic() + self._config.start_timeout_s
        while time.monotonic() < deadline and not self._abandoned.is_set():
            running = pidfile.read_pid_file(self._data)
            if running is not None and running.ready and running.pid == pid:
                return running
            ended = (
                process.poll() is not None
                if process is not None
                else not pidfile.is_server_of(pid, self._data)
            )
            if ended:
                break
            time.sleep(_POLL_S)  # noqa: TID251 - in a thread
        raise StorageUnavailable(f"PostgreSQL in {self._data} did not become ready: {self._log_tail()}")

    def _go_on(self) -> None:
        if self._abandoned.is_set():
            raise StorageUnavailable("the start of PostgreSQL was given up")

    def _log_tail(self) -> str:
        try:
            with (self._dir / "postgres.log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
                return log.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return "no log"

    async def _watch(self) -> None:
        """Start the server again when it dies."""
        backoff = Backoff(first_s=0.2, cap_s=15.0)
        while True:
            await asyncio.sleep(_WATCH_S)
            if await asyncio.to_thread(self._alive):
                continue
            POSTGRES_RESTARTS.inc()
            logger.error(
                "PostgreSQL (pid %d) ended unexpectedly, starting it again: %s", self._pid, self._log_tail()
            )
            try:
                await asyncio.to_thread(self._revive)
                backoff.reset()
            except (MtdError, OSError) as error:
                logger.error("PostgreSQL can't be started: %s", error)
                await asyncio.sleep(backoff.next_delay())

    def _revive(self) -> None:
        with self._turn:
            if self.owner:  # not stopped in the meantime
                self._process = None
                self._run()

    def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return pidfile.is_server_of(self._pid, self._data)


def _make_folder(path: Path) -> None:
    """Make a folder that nobody can list; under root, another user has to pass through."""
    if not path.exists():
        path.mkdir(parents=True, mode=0o711 if os.geteuid() == 0 else 0o700)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
