"""Testing a connection over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.sources.rest.config import RestConfig
from mtd.sources.rest.opening import RestTools, open_rest
from mtd.sources.tcp.reactor import default_reactor
from mtd.sources.trial import ConnectionTest, try_session

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device


async def test_rest(
    device: Device,
    *,
    clock: Clock = SYSTEM_CLOCK,  # noqa: PT028 - not a test case
    config: RestConfig | None = None,  # noqa: PT028
    tls_ca_file: str = "",  # noqa: PT028
    reactor: Any = None,  # noqa: PT028
) -> ConnectionTest:
    """Open a session, read who the router is, and close it. Never raises for what a router does."""
    tools = RestTools(
        clock, config or RestConfig(), tls_ca_file, reactor if reactor is not None else default_reactor()
    )
    return await try_session(
        device, lambda steps: open_rest(device, tools, steps), clock, "the policies 'read' and 'rest-api'"
    )


test_rest.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever pytest thinks
