"""The reactor, found late."""

from __future__ import annotations

from typing import Any


def default_reactor() -> Any:
    """Return the process's reactor. Imported late: importing it installs one."""
    from twisted.internet import reactor

    return reactor
