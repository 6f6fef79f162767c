"""Whether a modem is in a network, in one set of words.

Modems tell it in ``registration-status``, some newer ones only in ``status``; and
each in words of its own.
"""

from __future__ import annotations

import re

from mtd.model.command import Rows
from mtd.model.values import boolean

STATES = {"off": 0, "registered": 1, "roaming": 2, "searching": 3, "denied": 4, "not_registered": 5}

_WORDS = (
    (re.compile(rb"roaming|registered[ ,(-]+roaming\)?"), b"roaming"),
    (re.compile(rb"registered(?:[ ,(-]+home.*)?|home|connected|running"), b"registered"),
    (re.compile(rb"(?:not registered, )?searching(?: .*)?|registering"), b"searching"),
    (re.compile(rb"(?:registration )?denied(?: .*)?"), b"denied"),
    (re.compile(rb"not[ -]registered(?: .*)?|unregistered|disconnected|idle"), b"not_registered"),
    (re.compile(rb"disabled|powered off|off|no modem(?: .*)?|sim not (?:present|inserted)(?: .*)?"), b"off"),
)


def with_registration(rows: Rows) -> Rows:
    """Add the column ``registration``."""
    told = zip(rows.column("registration-status"), rows.column("status"), rows.column("roaming"), strict=True)
    states = tuple(_state(registration or status, roaming) for registration, status, roaming in told)
    return Rows(rows.count, {**rows.columns, "registration": states})


def _state(word: bytes | None, roaming: bytes | None) -> bytes | None:
    """Return our word. One that isn't known is left as it is, and counted as unreadable."""
    if not word:
        return None
    lower = word.lower()
    state = next((state for pattern, state in _WORDS if pattern.fullmatch(lower)), word)
    return b"roaming" if state == b"registered" and boolean(roaming) else state
