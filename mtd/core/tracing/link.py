"""Where a trace stands: what is passed on from step to step, in events and between programs."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRACE_BYTES = 16
_SPAN_BYTES = 8
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class Link:
    """A span of a trace that is sampled: the parent of what comes next."""

    trace_id: int
    span_id: int

    def to_bytes(self) -> bytes:
        """Return it as events carry it: 16 bytes of the trace, 8 of the span."""
        return self.trace_id.to_bytes(_TRACE_BYTES, "big") + self.span_id.to_bytes(_SPAN_BYTES, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Link | None:
        """Read it as an event carries it; None if that is no span."""
        if len(data) != _TRACE_BYTES + _SPAN_BYTES:
            return None
        return cls._valid(
            int.from_bytes(data[:_TRACE_BYTES], "big"), int.from_bytes(data[_TRACE_BYTES:], "big")
        )

    @classmethod
    def from_traceparent(cls, text: str) -> Link | None:
        """Read W3C's ``traceparent``; None if it is none, or of a trace that isn't sampled."""
        found = _TRACEPARENT.fullmatch(text.strip())
        if found is None:
            return None
        version, trace, span, flags, more = found.groups()
        # Versions to come may say more behind; the first doesn't, and ff is none.
        if version == "ff" or (version == "00" and more) or not int(flags, 16) & _SAMPLED:
            return None
        return cls._valid(int(trace, 16), int(span, 16))

    @classmethod
    def _valid(cls, trace_id: int, span_id: int) -> Link | None:
        return cls(trace_id, span_id) if trace_id and span_id else None

    @property
    def traceparent(self) -> str:
        """It as W3C's ``traceparent``."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"
