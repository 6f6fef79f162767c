"""What time it is at mtd: its machine's clock and that of Odoo's may differ, even by hours."""

import time

KEPT_S = 60.0
"""For how long an answer of mtd is enough: the steady clock of this machine goes on from it."""


class Clocks:
    """The times of mtds by connection, as far as this process was told."""

    def __init__(self, steady=time.monotonic):
        self._steady = steady
        self._told = {}

    def now_us(self, key, target, ask):
        """Return what time it is at the mtd of a connection, microseconds since the epoch.

        ``ask`` is a function: it asks mtd, if it wasn't asked within the last minute. Raises what that raises.
        """
        known, told_us, at = self._told.get(key, (None, 0, 0.0))
        if known != target or self._steady() - at > KEPT_S:
            before = self._steady()
            told_us = ask()
            at = (before + self._steady()) / 2
            self._told[key] = (target, told_us, at)
        return told_us + round((self._steady() - at) * 1_000_000)


CLOCKS = Clocks()
