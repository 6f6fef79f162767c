"""What can't be asked of a device loop."""

from __future__ import annotations

from mtd.core.errors import QuotaExceeded


class PollTooSoon(QuotaExceeded):
    """A device was polled on demand a moment ago."""
