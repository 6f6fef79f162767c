"""Whether an exporter was started again, by what its messages say: since then its templates may be others."""

from __future__ import annotations

from typing import Protocol

from mtd.codec.flows.messages import IPFIX, V9, Header
from mtd.codec.flows.sequence import WRAP, Sequence, is_start
from mtd.codec.flows.taught import Sender

# The time of a message has whole seconds, and clocks are set right by a little.
_SAME_START_MS = 30_000
_OVERTAKEN_MS = 5_000
_UPTIME_WRAP_MS = 1 << 32


class Heard(Protocol):
    """A domain, by its last message. ``booted_ms``: see ``Learned``."""

    sequence: Sequence
    booted_ms: int
    uptime_ms: int | None
    port: int


def began_anew(domain: Heard, header: Header, sender: Sender | None, port: int) -> bool:
    """Return whether the exporter was started since the message before, as far as messages tell, and take note of it.

    Where another port sends in its name meanwhile, it is judged by what itself said before.
    """
    if header.version == IPFIX:
        if sender is None:
            return domain.sequence.begins_anew(header.sequence, header.exported_s)
        if sender.sequence is None or domain.port == port and domain.sequence.expects(header.sequence):
            return False
        return is_start(sender.sequence, header.sequence, header.exported_s - sender.exported_s)
    if header.version != V9 or header.uptime_ms is None:
        return False
    before_ms, domain.uptime_ms = domain.uptime_ms, header.uptime_ms
    known_ms = domain.booted_ms
    if sender is not None:
        before_ms = sender.uptime_ms
        if before_ms is None:
            known_ms = sender.booted_ms
    booted_ms = header.exported_ms - header.uptime_ms
    if before_ms is not None:
        # A little: what was overtaken; much: it begins again at 0 after 49.7 days.
        found = _OVERTAKEN_MS < before_ms - header.uptime_ms < _UPTIME_WRAP_MS // 2
    else:
        moved_ms = (booted_ms - known_ms) % _UPTIME_WRAP_MS
        found = known_ms > 0 and _SAME_START_MS < moved_ms < _UPTIME_WRAP_MS - _SAME_START_MS
    if found or abs(booted_ms - domain.booted_ms) > _SAME_START_MS:  # its clock was set
        domain.booted_ms = booted_ms
    return found


def note(sender: Sender, header: Header, received_us: int, *, anew: bool) -> None:
    """Note what a message says of who sent it; a late one says nothing new of its numbers."""
    sender.heard_us = received_us
    sender.uptime_ms = header.uptime_ms
    before = sender.sequence
    if anew or before is None or (header.sequence - before) % WRAP < WRAP // 2:
        sender.sequence, sender.exported_s = header.sequence, header.exported_s


def runs_on(domain: Heard, sender: Sender | None, exported_ms: int, uptime_ms: int) -> bool:
    """Return whether the exporter runs since when it ran before, by its uptime and its clock."""
    before_ms = domain.uptime_ms
    if sender is not None and sender.uptime_ms is not None:
        before_ms = sender.uptime_ms
    if before_ms is None or uptime_ms < before_ms:
        return False
    return abs(exported_ms - uptime_ms - domain.booted_ms) <= _SAME_START_MS
