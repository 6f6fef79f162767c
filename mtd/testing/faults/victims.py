"""The processes of a fleet, by what they are: whom to kill."""

from __future__ import annotations

import contextlib
import enum
import os
import signal
from pathlib import Path


class Role(enum.StrEnum):
    """What a process is to mtd."""

    DAEMON = "daemon"
    COLLECTOR = "collector"
    WORKER = "compaction worker"
    POSTMASTER = "PostgreSQL"
    BACKEND = "PostgreSQL backend"


def find(daemon_pid: int, postmaster_pid: int) -> dict[Role, list[int]]:
    """Return the processes of a daemon that run now. A backend is one that serves mtd, not one of PostgreSQL's own."""
    found: dict[Role, list[int]] = {role: [] for role in Role}
    if alive(daemon_pid):
        found[Role.DAEMON].append(daemon_pid)
    for pid in children_of(daemon_pid):
        if "mtd.compaction.worker" in command_of(pid):
            found[Role.WORKER].append(pid)
    if alive(postmaster_pid):
        found[Role.POSTMASTER].append(postmaster_pid)
    # PostgreSQL names them by user, database and peer: "postgres: mtd mtd [local] INSERT".
    found[Role.BACKEND] = [
        pid
        for pid in children_of(postmaster_pid)
        if "[local]" in command_of(pid) or "127.0.0.1" in command_of(pid)
    ]
    return found


def kill(pid: int) -> bool:
    """End a process as a power cut would; False if it was gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_family(pid: int) -> None:
    """End a process with its children, youngest last."""
    for victim in (pid, *children_of(pid)):
        kill(victim)


def alive(pid: int) -> bool:
    """Return whether a process runs: one that only waits to be buried doesn't."""
    with contextlib.suppress(OSError):
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def children_of(pid: int) -> list[int]:
    """Return the children of a process, of all its threads."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in (Path("/proc") / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process; empty if it is gone."""
    with contextlib.suppress(OSError):
        return (
            (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    return ""


def descriptors_of(pid: int) -> int:
    """Return how many descriptors a process has open."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in (Path("/proc") / str(pid) / "fd").iterdir())
    return 0
