"""What ``postmaster.pid`` tells of a server, and whether that server lives."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server as its pid file describes it."""

    pid: int
    port: int
    socket_dir: str
    ready: bool


def read_pid_file(data: Path) -> RunningServer | None:
    """Read the pid file of a data folder; None if there is none, or none that is whole yet."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    # pid, data folder, start time, port, socket folder, address, shared memory, state
    try:
        return RunningServer(
            pid=int(lines[0]),
            port=int(lines[3]),
            socket_dir=lines[4].strip(),
            ready=len(lines) > 7 and lines[7].strip() == "ready",
        )
    except (IndexError, ValueError):
        return None


def pid_in_file(data: Path) -> int | None:
    """Return the pid alone, which the server writes before all the rest."""
    try:
        return int((data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def is_server_of(pid: int, data: Path) -> bool:
    """Whether this process lives and is a server on this data folder, not a reused number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user: look at what it is
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="ascii", errors="replace")
            .rpartition(")")[2]
            .split()[0]
        )
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # without /proc: believe the pid file
    return state != "Z" and str(data).encode() in command


def remove_stale_pid_file(data: Path) -> None:
    """Remove a pid file whose process isn't a server on this folder.

    PostgreSQL does that too, but refuses to start if the number now belongs to
    another process of the same user. The caller holds the lock of the folder.
    """
    pid = pid_in_file(data)
    if pid is None or not is_server_of(pid, data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def stop_server(pid: int, data: Path, timeout_s: float) -> None:
    """Stop a server: fast (sessions are cut, data is flushed), then at once, then by force."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until_gone(pid, data, timeout_s):
            return
        timeout_s = min(timeout_s, 5.0)


def wait_until_gone(pid: int, data: Path, timeout_s: float) -> bool:
    """Wait for the end of a server; false if it outlives the time."""
    deadline = time.monotonic() + timeout_s
    while is_server_of(pid, data):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)  # noqa: TID251 - in a thread
    return True
