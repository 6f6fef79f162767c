"""Who may write: one bridge per database, by a lock of PostgreSQL on a connection of its own.

The same connection listens for what users ask. It lives in a thread, so that a dead network stalls nobody.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psycopg2

_logger = logging.getLogger(__name__)

LOCK_KEY = 0x6D74645F6272  # "mtd_br"
FENCE_KEY = LOCK_KEY + 1
CHANNELS = ("mikrotik_viewing", "mikrotik_diagnostic")
LOOK_EVERY_S = 1.0
CHECK_EVERY_S = 5.0
# A process that is stopped (SIGSTOP, a frozen container) keeps its session, and the lock: it is ended after so long.
SILENT_S = 15.0
_ENDS_SILENT_FROM = 140000
# A peer that is gone without a word is noticed within some 15 s.
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3}
_CONNECT_TIMEOUT_S = 5


class WriterLock:
    """Tries to become the writer, and says when it is, isn't any more, or is told something.

    ``on_change(held, trouble)`` and ``on_notify(channel)`` are called in the thread of the lock.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        *,
        on_change: Callable[[bool, str], None],
        on_notify: Callable[[str], None],
    ) -> None:
        self._arguments = {**connection, **_KEEPALIVE, "connect_timeout": _CONNECT_TIMEOUT_S}
        self._on_change, self._on_notify = on_change, on_notify
        self._stop = threading.Event()
        self._wake_r, self._wake_w = os.pipe()
        self._thread = threading.Thread(target=self._run, name="mtd-bridge-lock", daemon=True)
        self._told = (False, "")
        self._is_old_said = False
        self.held = False
        self.backend: int | None = None
        """The process of PostgreSQL behind the session of the lock."""

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lock up, so that another takes over at once."""
        if self._stop.is_set():
            return
        self._stop.set()
        os.write(self._wake_w, b"x")
        self._thread.join(1.0)

    def _run(self) -> None:
        told = ""
        while not self._stop.is_set():
            trouble = ""
            try:
                self._hold()
            except psycopg2.Error as error:
                trouble = str(error).strip() or type(error).__name__
            if trouble and trouble != told:
                _logger.warning("no session with PostgreSQL: %s", trouble)
            told = trouble
            self._tell(False, trouble)
            self._stop.wait(LOOK_EVERY_S)

    def _hold(self) -> None:
        """Wait for the lock, then hold it, until stopped or the session ends."""
        connection = psycopg2.connect(**self._arguments)
        try:
            connection.autocommit = True
            self.backend = connection.info.backend_pid
            with connection.cursor() as cursor:
                self._end_when_silent(connection, cursor)
                for channel in CHANNELS:
                    cursor.execute(f"LISTEN {channel}")
                while not self._stop.is_set():
                    held = self.held or self._try(cursor)
                    self._tell(held, "")
                    self._wait(connection, CHECK_EVERY_S if held else LOOK_EVERY_S)
                    cursor.execute("SELECT 1")
        finally:
            self.backend = None
            with suppress(psycopg2.Error):
                connection.close()

    def _end_when_silent(self, connection: Any, cursor: Any) -> None:
        """Have PostgreSQL end the session by itself if nothing is heard of us."""
        if connection.server_version >= _ENDS_SILENT_FROM:
            cursor.execute("SET idle_session_timeout = %s", [f"{SILENT_S * 1000:.0f}ms"])
        elif not self._is_old_said:
            self._is_old_said = True
            _logger.warning("before version 14 PostgreSQL leaves the lock with a bridge that is stopped")

    def _try(self, cursor: Any) -> bool:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY])
        return bool(cursor.fetchone()[0])

    def _wait(self, connection: Any, seconds: float) -> None:
        """Wait for something to happen: a notification, the end of the session, the end of the wait."""
        readable, _, _ = select.select([connection, self._wake_r], [], [], seconds)
        if connection in readable:
            connection.poll()
        while connection.notifies:
            self._on_notify(connection.notifies.pop(0).channel)

    @staticmethod
    def is_held(cursor: Any, backend: int | None) -> bool:
        """Return whether a session has the lock, as PostgreSQL says at this moment."""
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s"
            " AND classid = %s AND objid = %s AND objsubid = 1)",
            [backend, LOCK_KEY >> 32, LOCK_KEY & 0xFFFFFFFF],
        )
        return bool(cursor.fetchone()[0])

    def _tell(self, held: bool, trouble: str) -> None:
        if (held, trouble) != self._told:
            self._told, self.held = (held, trouble), held
            self._on_change(held, trouble)
