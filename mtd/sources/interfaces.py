"""The port between those who poll and those who talk to devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from mtd.model.command import Command, Reply


class ISource(Interface):
    """A session with one device. It connects when told to, and never on its own."""

    device = Attribute("The `mtd.model.device.Device`.")
    outcome = Attribute("The last `SessionFailed`, or None: of connecting, or of the session since.")
    connected = Attribute("Whether commands can be run: bool.")

    async def connect() -> None:
        """Resolve, connect, secure and log in.

        Raises `SessionFailed`, within the device's timeouts. Connecting again
        replaces a session that is open.
        """

    async def run(
        commands: Sequence[Command],
        timeout_s: float | None = None,
    ) -> list[Reply]:
        """Run commands, all under way at once, and return their replies in order.

        Each command has ``timeout_s`` seconds, the device's command timeout if
        None. What the device refuses is in ``Reply.trap``, and so is a reply
        that we cancelled (`Trap.too_large`, `Trap.timed_out`); its rows are
        empty. Raises `SessionFailed` when the session is lost, or can't be
        trusted any more; it is closed then.
        """

    async def close() -> None:
        """Close the session, within bounded time. Never raises."""
