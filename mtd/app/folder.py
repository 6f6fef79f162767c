"""The data folder, and the file in it that says where the daemon is to be found."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from mtd.core.errors import Misconfigured

STATUS_FILE = "forwarding.json"
"""In the data folder of a collector: how it is with its hub."""


def make_data_dir(path: Path) -> None:
    """Make the data folder unless it is there; Misconfigured if it can't be used."""
    try:
        # Under root, PostgreSQL runs as another user and has to pass through; it can't list what is there.
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"daemon.data_dir: {path} can't be made ({error.strerror}): give another folder, or the right to make it"
        ) from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise Misconfigured(
            f"daemon.data_dir: {path} can't be read and written by this user: change its owner, or give another folder"
        )


class RuntimeFile:
    """``runtime.json``: tells other programs of this machine's operator where the daemon is."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "runtime.json"

    def write(self, dsn: str, grpc_port: int, http_port: int) -> None:
        """Write it, at once and whole."""
        content = {"pid": os.getpid(), "dsn": dsn, "grpc_port": grpc_port, "http_port": http_port}
        temporary = self._path.with_suffix(".tmp")
        # The DSN holds a password: nobody else may read it, at no moment.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file)
        temporary.rename(self._path)

    def remove(self) -> None:
        """Remove it, as far as the folder lets us."""
        with contextlib.suppress(OSError):  # the data folder may be why the daemon stops
            self._path.unlink()
