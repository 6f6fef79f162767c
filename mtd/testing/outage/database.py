"""A PostgreSQL that a bench takes away from the daemon: stopped as an operator does, or frozen as a hung disk does."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from mtd.storage.config import EmbeddedConfig
from mtd.storage.embedded import EmbeddedPostgres

_END_TIMEOUT_S = 30.0
_POLL_S = 0.05


class OwnDatabase:
    """A server of ours: the daemon uses it, and doesn't start it again when it is gone."""

    def __init__(self, folder: Path, config: EmbeddedConfig | None = None) -> None:
        self._server = EmbeddedPostgres(folder, config)
        self._frozen: list[psutil.Process] = []

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path, config: EmbeddedConfig | None = None) -> Iterator[OwnDatabase]:
        """Give a server that runs; it is ended with the block, frozen or not."""
        database = cls(folder, config)
        database.start()
        try:
            yield database
        finally:
            database.thaw()
            database.stop()

    @property
    def settings(self) -> dict[str, str]:
        """What the daemon's section ``database`` needs to use it."""
        return {"dsn": self._server.dsn, "door_dsn": self._server.door_dsn}

    @property
    def dsn(self) -> str:
        """Connection string of the database's owner."""
        return self._server.dsn

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._server.pid

    def start(self) -> None:
        """Start it: on the port of before, if there was one."""
        self._server.start_blocking()

    def stop(self) -> None:
        """Stop it: connections are closed, further ones refused."""
        self._server.stop_blocking()

    def freeze(self) -> None:
        """Let all its processes stand still: connections stay open and nothing answers."""
        server = psutil.Process(self.pid)
        # The server first, so that it makes no more of them.
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
                self._frozen.append(process)
        deadline = time.monotonic() + _END_TIMEOUT_S
        while server.status() != psutil.STATUS_STOPPED:
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL could not be frozen")
            time.sleep(_POLL_S)  # noqa: TID251 - a script's own wait, no reactor here

    def thaw(self) -> None:
        """Let it go on, if it stands still."""
        for process in reversed(self._frozen):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        self._frozen.clear()
