"""What a worker process does that waits and computes without a loop; ``mtd.core.worker_process`` keeps it running.

It reads one line of JSON from standard input: never from its arguments, which everyone on the machine can see. It
ends when standard input does, so that it never outlives the daemon, and on SIGTERM. A thread of it shows the daemon
that it lives, as long as its work goes on.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from mtd.core.pulse import BEAT_S, Heart

logger = logging.getLogger(__name__)

_NICE = 10
# Far beyond what one hour of one router, or a day of it, takes.
_LONGEST_WORK_S = 3600.0
# ioprio_set(2), which Python doesn't have: IOPRIO_WHO_PROCESS 1, class idle 3 << 13.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}


class Stop(threading.Event):
    """Whether to end. Who works asks for it again and again: who doesn't any more, hangs."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = time.monotonic()

    def is_set(self) -> bool:
        """Return whether to end now."""
        self._asked = time.monotonic()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most so long; return whether it is."""
        self._asked = float("inf")  # waits as long as it was told to
        try:
            return super().wait(timeout)
        finally:
            self._asked = time.monotonic()

    @property
    def busy_s(self) -> float:
        """For how long nobody asked."""
        return time.monotonic() - self._asked


def work(run: Callable[[dict[str, Any], threading.Event], None]) -> int:
    """Run with what the daemon said, modestly, until the event is set; return the exit code."""
    heart, stop = Heart(), Stop()

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
    threading.Thread(target=_show_life, args=(heart, stop), daemon=True).start()
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


def _show_life(heart: Heart, stop: Stop) -> None:
    while stop.busy_s < _LONGEST_WORK_S:
        heart.beat()
        time.sleep(BEAT_S)  # noqa: TID251 - in a thread
    logger.error("the work hasn't gone on for %.0f s; this is where it is:", _LONGEST_WORK_S)
    faulthandler.dump_traceback(sys.stderr)  # and no more signs of life: the daemon ends us


def _wait_for_end(stop: threading.Event) -> None:
    # Not the buffered file, whose lock would still be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
