"""What the parts of an open log share."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.eventlog.config import EventLogConfig
    from mtd.eventlog.jetstream.chain import Chain
    from mtd.eventlog.jetstream.connection import Connection
    from mtd.eventlog.jetstream.durability import DurabilityCheck
    from mtd.eventlog.jetstream.ledger import Ledger
    from mtd.eventlog.jetstream.stream import Stream, StreamInfo


class Uids:
    """Names for attempts to append: this process, and a number."""

    def __init__(self) -> None:
        self.writer = uuid.uuid4().hex
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """Return one that nothing else ever had."""
        return f"{self.writer}.{next(self._numbers)}"


@dataclass(slots=True)
class Parts:
    """One open log. ``opened`` is the stream as it was found; ``info`` what is known of it now."""

    settings: EventLogConfig
    clock: Clock
    connection: Connection
    stream: Stream
    ledger: Ledger
    chain: Chain
    durability: DurabilityCheck
    opened: StreamInfo
    info: StreamInfo
    uids: Uids = field(default_factory=Uids)
