"""What a worker process does that waits and computes without a loop; ``mtd.core.worker_process`` keeps it running.

It reads one line of JSON from standard input: never from its arguments, which everyone on the machine can see. It
ends when standard input does, so that it never outlives the daemon, and on SIGTERM.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

_NICE = 10
# ioprio_set(2), which Python doesn't have: IOPRIO_WHO_PROCESS 1, class idle 3 << 13.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}


def work(run: Callable[[dict[str, Any], threading.Event], None]) -> int:
    """Run with what the daemon said, modestly, until the event is set; return the exit code."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        # Not here: the handler may have interrupted a wait for the same lock.
        threading.Thread(target=stop.set).start()

    signal.signal(signal.SIGTERM, end)
    # Ctrl-C in a terminal reaches the whole group: it is the daemon that says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    be_modest()
    run(job, stop)
    return 0


def say(line: str) -> None:
    """Write a line to standard output, where the daemon hears it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def be_modest() -> None:
    """Let everything else on this machine go first: CPU and disk."""
    os.nice(_NICE)
    number = _IOPRIO_SET.get(platform.machine())
    if number is None or sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 1, 0, 3 << 13) != 0:
        logger.debug("the idle I/O class isn't to be had: %s", os.strerror(ctypes.get_errno()))


def _wait_for_end(stop: threading.Event) -> None:
    # Not the buffered file, whose lock would still be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
