"""``python nursery.py FILE``: workers that begin at once, for who kills many of them.

Everything is imported once, and each worker is forked of that. Reads the job first, then a line each: ``start``, maybe with
the step of summing up before which the worker is killed; ``kill`` and a process id; or ``gone`` and one. Answers with the process
id, or 0 for one that isn't gone. What workers say is appended to the file. They end with this.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any

from mtd.flowsums import buckets
from mtd.flowsums.worker import run


def main() -> None:
    """Do what standard input says, until it ends."""
    job = json.loads(sys.stdin.readline())
    there: set[int] = set()
    try:
        for line in sys.stdin:
            word, given = line.rstrip("\n").split(" ")
            if word == "start":
                pid = _start(job, given)
                there.add(pid)
            else:
                pid = _kill(int(given)) if word == "kill" else os.waitpid(int(given), os.WNOHANG)[0]
                there.discard(pid)
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
    finally:
        for pid in there:
            _kill(pid)


def _start(job: dict[str, Any], doomed_before: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    if doomed_before:
        setattr(buckets, doomed_before, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    output = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    try:
        run(job, threading.Event())
    finally:
        os._exit(1)  # it was not asked to end


def _kill(pid: int) -> int:
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[0]


if __name__ == "__main__":
    main()
