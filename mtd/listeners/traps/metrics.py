"""Metrics of the listener for traps. What is received and dropped, and unknown senders, are among those of all listeners."""

from __future__ import annotations

from mtd.core.metrics import Counter

READ = Counter(
    "mtd_traps_read_total", "Traps and informs that are believed, by version of SNMP.", ["version"]
)
REPEATED = Counter(
    "mtd_traps_repeated_total",
    "Traps and informs that came once more; they are stored once, and answered again.",
)
ANSWERED = Counter(
    "mtd_traps_answered_total", "Informs that were answered, once the log had them on its disk."
)
UNANSWERED = Counter(
    "mtd_traps_unanswered_total",
    "Informs that were passed on and not answered: the kernel didn't take it, or the log took so long that too many waited, or "
    "mtd was stopped.",
)
ASKED = Counter(
    "mtd_traps_asked_total",
    "Messages of version 3 in which somebody asks for what it has to know before it can send an inform.",
)
UNNAMED = Counter(
    "mtd_traps_unnamed_total",
    "Traps of an interface that were stored without its name: neither told, nor known.",
)
