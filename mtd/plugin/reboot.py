"""Telling a reboot by the uptime (S000-8a)."""

from __future__ import annotations

from mtd.model.command import Command

# Read with every poll that brings rates, so that no rate spans a reboot.
UPTIME_FIELD = "uptime"
UPTIME_COMMAND = Command(
    path="/system/resource/print", proplist=(UPTIME_FIELD,), max_rows=10, max_bytes=65_536
)

# The uptime is printed in whole seconds, and the two clocks differ a little.
_SLACK_S = 3.0


class RebootWatch:
    """Remembers the uptime of one device."""

    def __init__(self) -> None:
        self.uptime_s: float | None = None
        self._at = 0.0

    def rebooted(self, uptime_s: float, at: float) -> bool:
        """Take the uptime read at a monotonic time; return whether the device has rebooted since the last.

        It has if its uptime fell, or if it is shorter than the time since we
        last looked: after a long silence it may be up longer than before.
        """
        last, last_at = self.uptime_s, self._at
        if last is not None and at < last_at:
            return False
        self.uptime_s, self._at = uptime_s, at
        if last is None:
            return False
        return uptime_s < last or uptime_s + _SLACK_S < at - last_at
