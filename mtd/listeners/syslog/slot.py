"""A place of a worker, and the account of what the one that is there received."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtd.core.shared_numbers import SharedNumbers
from mtd.listeners import metrics
from mtd.listeners.syslog.lines import NAME
from mtd.listeners.udp import dropped_by_kernel

if TYPE_CHECKING:
    from mtd.core.worker_process import WorkerProcess


class Slot:
    """A place of a worker: its socket, and what is known of the one that is there now."""

    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self.process: WorkerProcess | None = None
        self.starts = 0
        self.waiting_bytes = 0
        self._received = SharedNumbers(1)
        self._settled = 0
        self._counted = 0
        self._kernel_dropped = 0

    @property
    def fds(self) -> Sequence[int]:
        """What the worker inherits: its socket, and the number of lines that it received."""
        return (self.socket.fileno(), self._received.fd)

    def settle(self, lines: int) -> None:
        """Note that so many of the lines that it received were handed over, or told to be dropped."""
        self._settled += lines

    def count(self) -> None:
        """Count what it received, and what the kernel dropped, since the last time."""
        received, dropped = int(self._received.view[0]), dropped_by_kernel(self.socket)
        metrics.RECEIVED.labels(listener=NAME).inc(received - self._counted)
        metrics.KERNEL_DROPPED.labels(listener=NAME).inc(max(0, dropped - self._kernel_dropped))
        self._counted, self._kernel_dropped = received, dropped

    def lose(self) -> int:
        """Count what it received, and neither handed over nor told, as it has ended; return how many lines."""
        self.count()
        lost = self._counted - self._settled
        self._settled, self.waiting_bytes = self._counted, 0
        if lost > 0:
            metrics.DROPPED.labels(listener=NAME, reason="worker_died").inc(lost)
        return lost

    def close(self) -> None:
        """Give back what it shared."""
        self._received.close()
