"""What becomes of a line that was received: whose it is, what it says and means, and whether it is stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from mtd.codec.syslog import read_line
from mtd.listeners import metrics
from mtd.listeners.pace import Paces
from mtd.listeners.senders import Sender
from mtd.listeners.syslog.config import LeastSevere, Stored, SyslogConfig
from mtd.listeners.syslog.reading import entry_of
from mtd.listeners.syslog.repeats import Repeats

if TYPE_CHECKING:
    from mtd.codec.syslog.rules import Rules
    from mtd.core.clock import Clock
    from mtd.listeners.syslog.outbox import Outbox
    from mtd.listeners.udp import Received
    from mtd.model.logs import LogEntry

NAME = "syslog"
GATHER_S = 0.005
"""What comes within so long is received together."""
LINES_PER_LOOK = 16
"""So many are read before the clock is looked at: half a millisecond to a millisecond."""


class LineSender(Sender, Protocol):
    """What has to be known of a device to read its lines."""

    @property
    def code_page(self) -> str:
        """In which it writes what isn't UTF-8."""


class Known(Protocol):
    """Who may send, and who takes note of those that aren't known, or of whom it isn't known which they are."""

    def find(self, address: str, name: str = "") -> Sequence[LineSender]:
        """Return the devices that a sender can be; one if all is well. ``name``: what the line calls its sender."""

    def meet(
        self, address: str, at_us: int, messages: int = 1, name_of: Callable[[], str] = lambda: ""
    ) -> None:
        """Take note of a sender that is nobody's device. ``name_of`` is asked what it calls itself if that is news."""

    def confuse(self, address: str, at_us: int, devices: Sequence[Sender], messages: int = 1) -> None:
        """Take note of a sender that several devices can be."""


class Lines:
    """Reads lines, one by one, and puts what is to be stored into an outbox; all else is counted.

    ``too_fast`` is told the id of a device whose line is one too many.
    """

    def __init__(
        self,
        config: SyslogConfig,
        rules: Rules,
        known: Known,
        too_fast: Callable[[str], None],
        outbox: Outbox[Any],
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._known = known
        self._too_fast = too_fast
        self._outbox = outbox
        self._clock = clock
        self._least = list(LeastSevere).index(config.least_severe)
        self._events_only = config.stored is Stored.EVENTS
        self._joins_repeats = config.repeat_window_s > 0
        self._repeats = Repeats(config.repeat_window_s)
        self._understood = metrics.UNDERSTOOD.labels(listener=NAME)
        self.paces = Paces(config.lines_per_s, clock)

    def take(self, received: Received) -> None:
        """Take a line."""
        devices = self._known.find(received.sender)
        if not devices:
            self._meet(received)
            return
        # Looked at first: a line of which there are too many costs nearly nothing.
        if len(devices) == 1 and not self._has_room(devices[0]):
            return
        line = read_line(received.data, devices[0].code_page, [_encoded(device.name) for device in devices])
        if line.cut:
            metrics.CUT.labels(listener=NAME).inc()
        if len(devices) > 1:
            devices = self._known.find(received.sender, line.host)
            if len(devices) > 1:
                # It would be another's.
                _drop("ambiguous_sender")
                self._known.confuse(received.sender, received.at_us, devices)
                return
            if not self._has_room(devices[0]):
                return
        device = devices[0]
        entry = entry_of(line, received.at_us, self._rules, device.name)
        if entry.event_type:
            self._understood.inc()
        too_mild = entry.severity is not None and entry.severity > self._least
        if too_mild or (self._events_only and not entry.event_type):
            _drop("filtered")
        elif not (self._joins_repeats and self._is_repeat(device.device_id, received.sender, entry)):
            self._outbox.add(device.device_id, received.sender, entry)

    def _is_repeat(self, device_id: str, sender: str, entry: LogEntry) -> bool:
        now = self._clock.monotonic()
        self._tell_repeats(now)
        return self._repeats.is_repeat(device_id, sender, entry, now)

    def _has_room(self, device: LineSender) -> bool:
        """Return whether one more line of a device is taken in; if not, it is counted."""
        if self.paces.has_room(device.device_id):
            return True
        _drop("too_fast")
        self._too_fast(device.device_id)
        return False

    def _meet(self, received: Received) -> None:
        """Take note of a sender that is nobody's device. Its line is dropped: it belongs to no tenant."""
        _drop("unknown_sender")
        self._known.meet(received.sender, received.at_us, name_of=lambda: read_line(received.data).host)

    def tell_repeats(self, *, all_of_them: bool = False) -> None:
        """Pass on what came again within windows that are over."""
        self._tell_repeats(math.inf if all_of_them else self._clock.monotonic())

    def _tell_repeats(self, now: float) -> None:
        for again in self._repeats.due(now):
            self._outbox.add(again.device_id, again.sender, again.last)


@lru_cache(maxsize=4096)
def _encoded(name: str) -> bytes:
    return name.encode()


def _drop(reason: str) -> None:
    metrics.DROPPED.labels(listener=NAME, reason=reason).inc()
