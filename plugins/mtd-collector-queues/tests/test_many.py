"""Routers whose queues are their subscribers: reading thousands of them each second isn't worth what it costs."""

from __future__ import annotations

import pytest

from mtd.model.metric import Tier
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import make_device
from mtd.testing.replies import reply
from mtd_collector_queues.declaration import COLLECTOR, MOST_QUEUES


@pytest.mark.parametrize("path", ["/queue/simple/print", "/queue/tree/print"])
@pytest.mark.parametrize(("queues", "read"), [(0, True), (MOST_QUEUES, True), (MOST_QUEUES + 1, False)])
def test_usage_is_read_where_there_are_few(path: str, queues: int, read: bool) -> None:
    mapper = DeviceMapper(make_device(), [COLLECTOR])
    assert path not in {command.path for command in mapper.commands(Tier.T0)}  # not asked yet
    counts = [reply(command, ret=queues) for command in mapper.probe_commands() if command.path == path]
    mapper.set_capabilities(mapper.probe_facts(counts))
    assert (path in {command.path for command in mapper.commands(Tier.T0)}) is read
