"""The port between those who poll and those who talk to devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from mtd.model.command import Command, Reply


class ISource(Interface):
    """One way to one device: a session over the API, REST or SNMP.

    It connects when told to, and never on its own. Replies are alike whichever
    way it is: rows of raw bytes under the names that RouterOS gives the fields.
    """

    device = Attribute("The `mtd.model.device.Device`.")
    way = Attribute("The `mtd.model.device.Way` that it goes, or of several the one that serves now.")
    outcome = Attribute("The last `SessionFailed`, or None: of connecting, or of the session since.")
    connected = Attribute("Whether commands can be run: bool.")
    traffic = Attribute("Commands sent, bytes sent and bytes received in the session, or the last one: ints.")

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
        that we cancelled (`Trap.too_large`, `Trap.timed_out`), and what this
        way has no words for (`Trap.not_served`, by `mtd.sources.replies`); its
        rows are empty. Raises `SessionFailed` when the session is lost, or
        can't be trusted any more; it is closed then.
        """

    async def close() -> None:
        """Close the session, within bounded time. Never raises."""


class IDeviceSource(ISource):
    """All ways to one device as one source: what one can't serve, the next may.

    It lasts as long as the device is polled: connecting again is the same
    source. While a worse way serves, it tries the better ones now and then.
    """

    standing = Attribute("The `mtd.sources.standing.Standing`: what serves, and why nothing better does.")

    def learn(told: str) -> None:
        """Take where the router says that REST is: "www:80 www-ssl:443", as the capability ``rest`` has it.

        REST without a port in the settings is used by this.
        """
