"""What callers ask of devices that edges poll: forwarded over the link, or refused with who could do it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from mtd.core.errors import Refused, Retryable
from mtd.diagnostics.performing import RunEnd, Taken
from mtd.link.devices import device_message
from mtd.link.hands import POLL, REFRESH, TEST, TOOL
from mtd.link.polled import polled_of
from mtd.link.tools import connection_of, end_of, rows_of, run_message
from mtd.model.pb_enums import TIER
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb

if TYPE_CHECKING:
    from mtd.api.link.desk import Link, LinkDesk
    from mtd.diagnostics.plans import Plan
    from mtd.diagnostics.tools import ToolRow
    from mtd.model.device import Device
    from mtd.model.metric import Tier
    from mtd.model.polled import PolledTier
    from mtd.queries.pollers import Poller
    from mtd.sources.way_trial import WaysTest

_WORK_S = 60.0
_OPENING_S = 15.0
"""What a session takes at most, before a tool begins."""

PollerOf = Callable[[str, str], Awaitable["Poller | None"]]
"""Return who polls a device, by its id and its tenant's."""


class NotLinked(Retryable):
    """The collector that polls the device can't be asked from here."""

    hint = (
        "see `mtd collector list`: if the collector is linked with another hub, ask that one; if it is offline,"
        " bring it back or let others have its devices"
    )


class Reach:
    """Does for a device what the edge can that polls it. Answers None for devices that this process may ask itself."""

    def __init__(self, desk: LinkDesk, poller_of: PollerOf) -> None:
        self.desk = desk
        self._poller_of = poller_of

    async def refresh(self, device_id: str, tenant_id: str) -> tuple[str, int] | None:
        """Probe a device; return the edge's log, and the position by which it tells what was found."""
        link = await self._link(device_id, tenant_id, REFRESH)
        if link is None:
            return None
        work = pb.RefreshCapabilities(device_id=device_id)
        update = await self.desk.answer(link, pb.Command(timeout_s=_WORK_S, refresh_capabilities=work))
        return update.refreshed.log_id, update.refreshed.log_seq

    async def poll(
        self, device_id: str, tenant_id: str, tiers: frozenset[Tier]
    ) -> tuple[list[PolledTier], str, int] | None:
        """Poll a device; return what came of it, the edge's log, and the position by which it tells what was read."""
        link = await self._link(device_id, tenant_id, POLL)
        if link is None:
            return None
        work = pb.PollNow(device_id=device_id, tiers=map(TIER.to_pb, sorted(tiers)))
        update = await self.desk.answer(link, pb.Command(timeout_s=_WORK_S, poll_now=work))
        return polled_of(update.polled.tiers), update.polled.log_id, update.polled.log_seq

    async def test(self, device: Device, told_rest: str) -> WaysTest | None:
        """Try all ways to a device."""
        link = await self._link(device.device_id, device.tenant_id, TEST)
        if link is None:
            return None
        work = pb.TestConnection(device=device_message(device), told_rest=told_rest)
        update = await self.desk.answer(link, pb.Command(timeout_s=_WORK_S, test_connection=work))
        return connection_of(update.tested)

    async def tools_of(self, device: Device) -> EdgeTools | None:
        """Return what runs tools on a device; which of them, and from where, is asked when one is run."""
        link = await self._link(device.device_id, device.tenant_id)
        return None if link is None else EdgeTools(self.desk, link)

    async def _link(self, device_id: str, tenant_id: str, capability: str = "") -> Link | None:
        link = self.desk.polling(device_id)
        if link is not None:
            if capability:
                check_capability(link, capability)
            return link
        poller = await self._poller_of(device_id, tenant_id)
        if poller is None or not poller.edge:
            return None
        how = "isn't linked with this hub" if poller.online else "isn't heard of"
        raise NotLinked(f"the device is polled by the collector {poller.name!r}, which {how}")


class EdgeTools:
    """See `Performs`: tools as an edge runs them."""

    def __init__(self, desk: LinkDesk, link: Link) -> None:
        self._desk = desk
        self._link = link

    async def run(
        self, plan: Plan, device: Device, taken: Taken
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        """Yield rows as they come, and at last the end."""
        check_capability(self._link, f"{TOOL}{plan.tool.name}")
        command = pb.Command(timeout_s=plan.seconds + _OPENING_S, run_tool=run_message(plan, device))
        async with aclosing(self._desk.ask(self._link, command, plan.rows)) as updates:
            async for update in updates:
                if update.WhichOneof("update") == "rows":
                    rows = rows_of(update.rows)
                    taken(rows)
                    yield rows
                else:
                    yield end_of(update.tool_end)


def check_capability(link: Link, capability: str) -> None:
    """Raise Refused if a collector can't do something."""
    if capability not in link.capabilities:
        error = Refused(f"the collector {link.name!r}, which polls the device, doesn't do {capability}")
        error.hint = "allow it there (diagnostics.tools), or update mtd there"
        raise error
