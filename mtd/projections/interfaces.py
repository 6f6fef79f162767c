"""The port of a projection."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope
    from mtd.projections.frames import FrameEncoder
    from mtd.storage.txn import Transaction


class IBatchWriter(Interface):
    """What one projection makes of the events of one transaction."""

    def add(seq: int, envelope: Envelope) -> None:
        """Take in one event: CPU only. What it raises makes the event a dead letter of this projection.

        A failed ``add`` leaves nothing behind. Raising OutOfBounds drops the
        event for this projection, counted.
        """

    async def prepare() -> None:
        """Do what must be done before the transaction, such as making partitions."""

    async def write(tx: Transaction) -> None:
        """Write the rows of all that was added."""


class IProjection(Interface):
    """A set of tables made from events.

    ``write`` may run several times for one event (a transaction that is tried
    again), but commits once.
    """

    name: str = Attribute("Name of its position.")
    kinds: Collection[str] = Attribute("Kinds of payload that it takes, as payload_kind() names them.")
    tables: Collection[str] = Attribute("Tables whose rows name the event they were made of.")

    def begin(log_id: str, frames: FrameEncoder) -> IBatchWriter:
        """Return an empty batch. ``frames`` is shared with the other projections of the batch."""

    async def forget(tx: Transaction, log_id: str, first_seq: int) -> None:
        """Undo what the events of a log from ``first_seq`` on have left, before they are projected again."""
