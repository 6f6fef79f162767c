"""Old events in today's shape: steps from one version of a payload to the next.

The log is never edited. A reader sees each event as the newest version that
its steps lead to.
"""

from __future__ import annotations

from collections.abc import Callable

from mtd.core.errors import Bug
from mtd.model.events import payload_kind
from mtd.pb.events.v1.envelope_pb2 import Envelope

Step = Callable[[Envelope], Envelope]
"""Takes an envelope with the old payload, returns a new one with the newer payload. Pure."""


class Upcasters:
    """Steps by the payload field that they start from."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    def add(self, field: str, step: Step) -> None:
        """Register the step that leaves one version behind. There is one per version."""
        if field in self._steps:
            raise Bug(f"payload {field!r} has an upcaster already")
        self._steps[field] = step

    def upcast(self, envelope: Envelope) -> Envelope:
        """Return the event in its newest version; the same object if it is that already."""
        seen: set[str] = set()
        while (step := self._steps.get(field := payload_kind(envelope))) is not None:
            if field in seen:
                raise Bug(f"upcasters of payload {field!r} go round in a circle")
            seen.add(field)
            envelope = step(envelope)
        return envelope

    def upcast_all(self, envelopes: list[Envelope]) -> list[Envelope]:
        """Upcast the events of a batch."""
        return [self.upcast(envelope) for envelope in envelopes] if self._steps else envelopes


# Every payload is at its first version: there are no steps yet.
UPCASTERS = Upcasters()
