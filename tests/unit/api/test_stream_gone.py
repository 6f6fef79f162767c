"""Readers of live values are told of devices that are gone."""

from __future__ import annotations

import asyncio

from mtd.testing import run_async
from tests.unit.api.fakes import TENANT, declared, device, frame, numbered
from tests.unit.api.test_stream_hub import drain, gone, make_hub


def test_a_device_that_was_shown_and_left_is_told_once() -> None:
    hub = make_hub()
    hub.apply_devices([device(), device("d2", "r2")])
    hub.publish(numbered(declared(), frame(1), frame(1, device_id="d2")))
    with hub.open_stream(TENANT) as stream, hub.open_stream(TENANT, ["r1"]) as other:
        drain(stream)
        drain(other)
        hub.apply_devices([device()])
        assert gone(drain(stream)) == ["d2"]
        assert drain(stream) == []
        assert drain(other) == [], "it never showed that device"
        # Renamed out of one selection, it stays in the other.
        hub.apply_devices([device(name="core")])
        assert gone(drain(other)) == ["d1"]
        assert gone(drain(stream)) == []


def test_a_device_that_was_never_shown_is_not_told_to_be_gone() -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(declared(), frame(1)))
    with hub.open_stream(TENANT) as stream, hub.open_stream(TENANT, wanted=["nothing"]) as blind:
        drain(blind)
        hub.apply_devices([])
        assert drain(stream) == []
        assert drain(blind) == []


def test_a_device_that_comes_back_does_so_behind_its_farewell() -> None:
    hub = make_hub()
    hub.apply_devices([device()])
    hub.publish(numbered(declared(), frame(1)))
    with hub.open_stream(TENANT, ["r1"]) as stream:
        drain(stream)
        hub.apply_devices([device(name="other")])
        hub.apply_devices([device()])
        told = [message.WhichOneof("message") for message in drain(stream)]
        assert told == ["gone", "layout", "update"]


def test_a_quiet_stream_wakes_for_a_device_that_left() -> None:
    async def main() -> None:
        hub = make_hub()
        hub.apply_devices([device()])
        hub.publish(numbered(declared(), frame(1)))
        with hub.open_stream(TENANT) as stream:
            drain(stream)
            waiting = asyncio.ensure_future(anext(stream.messages()))
            await asyncio.sleep(0)
            hub.apply_devices([])
            async with asyncio.timeout(5):
                assert (await waiting).gone.device_id == "d1"

    run_async(main())
