"""The process that sums flows up: ``python -m mtd.flowsums.worker``.

Reads one line from standard input, ``{"dsn": ..., "settings": {...}}``, and writes what it did as JSON lines to
standard output. It ends as ``mtd.core.worker_main`` says, each time after the minute or hour that it is at.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from mtd.core.backoff import Backoff
from mtd.core.errors import Bug, MtdError
from mtd.core.worker_main import say, work
from mtd.flowsums.messages import Message, Trouble, to_line
from mtd.flowsums.rounds import Rounds
from mtd.storage.config import StorageConfig

_RETRY_FIRST_S = 1.0
_RETRY_CAP_S = 60.0


def run(job: dict[str, Any], stop: threading.Event) -> None:
    """Do round after round until ``stop``; a database that is away is waited for."""
    dsn, settings = job["dsn"], StorageConfig.model_validate(job["settings"])
    backoff = Backoff(first_s=_RETRY_FIRST_S, cap_s=_RETRY_CAP_S)
    while not stop.is_set():
        try:
            with Rounds(dsn, settings, tell, stop) as rounds:
                while not stop.is_set():
                    done = rounds.run()
                    backoff.reset()
                    if not done.more:
                        stop.wait(settings.flow_sums.interval_s)
        except Bug:
            raise
        except MtdError as error:
            tell(Trouble(str(error)))
            stop.wait(backoff.next_delay())


def tell(message: Message) -> None:
    """Tell the daemon."""
    say(to_line(message))


if __name__ == "__main__":
    sys.exit(work(run))
