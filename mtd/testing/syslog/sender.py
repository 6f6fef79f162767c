"""Sends lines over UDP at a pace, from many addresses: ``python -m mtd.testing.syslog.sender PORT RATE SECONDS SENDERS``.

Prints a line of JSON: how many each sent, how many could not be sent, and what it took.
"""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import sys
import time
from collections.abc import Callable, Sequence

from mtd.testing.syslog.lines import address_of, lines_of

_LINES_EACH = 500
_TICK_S = 0.001


def main(port: int, rate: float, seconds: float, senders: int) -> dict[str, object]:
    """Send, and return what came of it."""
    lines = lines_of(senders, _LINES_EACH)
    with contextlib.ExitStack() as ending:
        sockets = [ending.enter_context(_socket(address_of(sender), port)) for sender in range(senders)]
        # One of each in turn, as many routers do.
        turns = [
            (sockets[sender].send, lines[sender][number])
            for number in range(_LINES_EACH)
            for sender in range(senders)
        ]
        total, began, cpu = round(rate * seconds), time.monotonic(), _cpu_s()
        unsent = _send(turns, rate, total)
        return {
            "sent": total - unsent,
            "unsent": unsent,
            "seconds": round(time.monotonic() - began, 3),
            "cpu_s": round(_cpu_s() - cpu, 3),
            "bytes": round(sum(len(line) for _, line in turns) / len(turns)),
        }


def _send(turns: Sequence[tuple[Callable[[bytes], int], bytes]], rate: float, total: int) -> int:
    """Send so many at a pace; return how many could not be sent."""
    began, sent, unsent = time.monotonic(), 0, 0
    while sent < total:
        due = min(total, round((time.monotonic() - began) * rate))
        if due <= sent:
            time.sleep(_TICK_S)  # noqa: TID251 - no reactor here
            continue
        for number in range(sent, due):
            send, line = turns[number % len(turns)]
            try:
                send(line)
            except OSError:
                unsent += 1
        sent = due
    return unsent


def _socket(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 0))
    made.connect(("127.0.0.1", port))
    return made


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))))  # noqa: T201
