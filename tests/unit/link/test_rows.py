"""Rows of before, and reports: what is wrong with them holds up neither polling nor leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from mtd.core.errors import Forbidden, Retryable
from mtd.link import seat as seat_module
from mtd.model.collector_report import CollectorReport
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from tests.unit.link.scripted_hub import looped
from tests.unit.link.test_seat import ONE, seated


@looped
async def test_rows_that_dont_come_hold_up_no_polling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: object) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
        await asyncio.Event().wait()
        yield pb.StreamKnownRowsResponse()

    async def refused(_: object) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
        raise Forbidden("not for you")
        yield pb.StreamKnownRowsResponse()

    monkeypatch.setattr(seat_module, "_ROWS_S", 0.05)
    async with seated(tmp_path) as rig:
        line, _ = await rig.hub.welcomed()
        await line.hear("renew")
        for answers, words in ((never, "within 0.05 s"), (refused, "not for you")):
            rig.hub.known_rows = answers  # type: ignore[method-assign,assignment]
            with pytest.raises(Retryable, match=words):
                await rig.seat.known_rows([ONE], ["arp"])


@looped
async def test_who_cant_say_how_it_is_renews_all_the_same(tmp_path: Path) -> None:
    async with seated(tmp_path) as rig:

        async def broken() -> CollectorReport:
            raise ValueError("no /proc")

        rig.seat._report = broken
        line, _ = await rig.hub.welcomed()
        line.end()
        line, _ = await rig.hub.welcomed()
        renew = await line.renew()
        assert renew.report.buffer_events == 0
        assert (await line.renew()).sequence > renew.sequence
