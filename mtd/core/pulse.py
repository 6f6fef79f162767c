"""Signs of life of a worker process: a number that it counts up, in memory that the daemon looks at.

Not through a pipe, which is full when the daemon is busy, and which a worker that hangs holds open.
"""

from __future__ import annotations

import os

from mtd.core.shared_numbers import SharedNumbers

BEAT_S = 1.0
"""So often a worker shows that it lives."""

_VARIABLE = "MTD_WORKER_PULSE_FD"


class Pulse:
    """The daemon's side."""

    def __init__(self) -> None:
        self._numbers = SharedNumbers(1)

    @property
    def fd(self) -> int:
        """The descriptor that the worker inherits."""
        return self._numbers.fd

    @property
    def beats(self) -> int:
        """How often it beat so far, of all workers that had it."""
        return int(self._numbers.view[0])

    def environment(self) -> dict[str, str]:
        """Return the environment in which a worker finds it."""
        return {**os.environ, _VARIABLE: str(self.fd)}

    def close(self) -> None:
        """Look no more."""
        self._numbers.close()


class Heart:
    """The worker's side; nobody looks at it where no daemon started the process."""

    def __init__(self) -> None:
        told = os.environ.pop(_VARIABLE, "")
        self._numbers = SharedNumbers(1, int(told)) if told else None

    def beat(self) -> None:
        """Show a sign of life."""
        if self._numbers is not None:
            self._numbers.view[0] += 1
