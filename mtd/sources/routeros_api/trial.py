"""Testing a connection over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.routeros_api.opening import Tools, open_session, shared_patterns
from mtd.sources.tcp.reactor import default_reactor
from mtd.sources.trial import ConnectionTest, try_session

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device


async def test_connection(
    device: Device,
    *,
    clock: Clock = SYSTEM_CLOCK,  # noqa: PT028 - not a test case
    config: RouterOsApiConfig | None = None,  # noqa: PT028
    reactor: Any = None,  # noqa: PT028
) -> ConnectionTest:
    """Open a session, read who the router is, and close it. Never raises for what a router does."""
    tools = Tools(
        clock,
        config or RouterOsApiConfig(),
        shared_patterns(),
        reactor if reactor is not None else default_reactor(),
    )
    return await try_session(
        device, lambda steps: open_session(device, tools, steps), clock, "the policies 'read' and 'api'"
    )


test_connection.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever pytest thinks
