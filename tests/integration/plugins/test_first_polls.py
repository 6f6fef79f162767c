"""The first polls of a router that is well: nothing is an event, whatever its version, and nothing is missing."""

from __future__ import annotations

import pytest

from mtd.model.metric import Tier
from mtd.plugin.manager import PluginManager
from mtd.testing import run_async
from tests.integration.plugins.polling import polled


@pytest.mark.parametrize("version", ["6.49.10", "7.8", "7.16.2", "7.20.4"])
def test_a_router_that_is_well_raises_no_event(version: str) -> None:
    """Or thousands of routers would raise them together, each time that mtd starts."""

    async def main() -> None:
        eggs = PluginManager.load().collectors
        async with polled(eggs, epoch_us=1_790_000_000_000_000, name="well", version=version) as found:
            await found.poll(*Tier, *Tier)
            assert [event.message for event in found.events] == []

    run_async(main(), timeout_s=60)
