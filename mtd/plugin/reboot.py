"""Telling a reboot by the uptime (S000-8a)."""

from __future__ import annotations

from mtd.model.command import Command

# Read with every poll that brings rates, so that no rate spans a reboot.
UPTIME_FIELD = "uptime"
UPTIME_COMMAND = Command(
    path="/system/resource/print", proplist=(UPTIME_FIELD,), max_rows=10, max_bytes=65_536
)

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))

# The uptime is printed in whole seconds, and the two clocks differ a little.
_SLACK_S = 3.0


class RebootWatch:
    """Remembers the uptime of one device."""

    def __init__(self) -> None:
        self.uptime_s: float | None = None
        self._at = 0.0

    def expected_s(self, at: float) -> float | None:
        """Return what the uptime will be at a monotonic time if the device doesn't reboot; None if it isn't known."""
        return None if self.uptime_s is None else self.uptime_s + at - self._at

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


def lasted(seconds: float) -> str:
    """Return a time as people say it, in its two largest units: ``216 d 7 h``, ``3 min 5 s``."""
    left = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts or size == 1:
            parts.append(f"{count} {unit}" if count or size == 1 else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts))
