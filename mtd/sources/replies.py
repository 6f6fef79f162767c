"""Replies that no router gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.model.command import NOT_SERVED, Command, Reply, Rows, Trap

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Way


def not_served(command: Command, way: Way, clock: Clock) -> Reply:
    """Return the reply of a way that has no words for a command; nothing was asked."""
    trap = Trap(f"not served by {way}", NOT_SERVED)
    return Reply(command, Rows(), clock.monotonic(), clock.now_us(), 0.0, trap=trap, way=way)
