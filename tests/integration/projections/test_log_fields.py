"""A line about an event says which it is, and whose."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from mtd.core.report import JsonFormatter
from mtd.projections.all import default_projections
from tests.integration.projections.kit import DEVICE, TENANT, World, declare, frame, in_world, now_us
from tests.integration.projections.test_trouble import Breaking


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Return what is written as JSON meanwhile."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    logging.getLogger("mtd.projections").addHandler(handler)
    yield text
    logging.getLogger("mtd.projections").removeHandler(handler)


@pytest.mark.parametrize("in_add", [True, False])
def test_an_event_that_can_not_be_projected_is_named_in_the_log(
    postgres_dsn: str, written: io.StringIO, *, in_add: bool
) -> None:
    async def body(world: World) -> None:
        await world.runner([*default_projections(world.partitions), Breaking(in_add=in_add)]).start()
        at = now_us()
        await world.project(declare(), frame(at), frame(at + 1, counter=666), frame(at + 2))
        lines: list[dict[str, Any]] = [json.loads(line) for line in written.getvalue().splitlines()]
        found = [line for line in lines if "can't be projected" in line["message"]]
        assert found
        for line in found:
            assert line["log_id"] == world.log.log_id
            assert (line["seq"], line["tenant"], line["device_id"]) == (3, TENANT, DEVICE)

    in_world(postgres_dsn, body)
