"""The process that compacts: ``python -m mtd.compaction.worker``.

Reads one line from standard input, ``{"dsn": ..., "settings": {...}}`` (never
from its arguments, which everyone on the machine can see), and writes what it
did as JSON lines to standard output. It ends when standard input does, so
that it never outlives the daemon, and on SIGTERM, each time after the hour
that it is at.
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
from types import FrameType

from mtd.compaction.messages import Message, Trouble, to_line
from mtd.compaction.rounds import Rounds
from mtd.core.backoff import Backoff
from mtd.core.errors import Bug, MtdError
from mtd.storage.config import StorageConfig

logger = logging.getLogger(__name__)

_NICE = 10
# ioprio_set(2), which Python doesn't have: IOPRIO_WHO_PROCESS 1, class idle 3 << 13.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_RETRY_FIRST_S = 1.0
_RETRY_CAP_S = 60.0


def main() -> int:
    """Compact until told to end; return the exit code."""
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
    run(job["dsn"], StorageConfig.model_validate(job["settings"]), stop)
    return 0


def run(dsn: str, settings: StorageConfig, stop: threading.Event) -> None:
    """Do round after round until ``stop``; a database that is away is waited for."""
    backoff = Backoff(first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
    while not stop.is_set():
        try:
            with Rounds(dsn, settings, say, stop) as rounds:
                while not stop.is_set():
                    rounds.run()
                    backoff.reset()
                    stop.wait(settings.compaction.interval_s)
        except Bug:
            raise
        except MtdError as error:
            say(Trouble("database", str(error)))
            stop.wait(backoff.next_delay())


def say(message: Message) -> None:
    """Write a message to standard output."""
    sys.stdout.write(to_line(message) + "\n")
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


if __name__ == "__main__":
    sys.exit(main())
