"""What a collector observes of a device that another one may poll by now isn't recorded."""

from __future__ import annotations

from dataclasses import replace

from mtd.model.device import DeviceStatus, Outcome
from mtd.model.observation import OutcomeReport
from mtd.testing.metrics import metric
from tests.unit.ingest.bench import CHANGE, DEVICE, FACTS, OTHER, Bench, with_bench

UP = OutcomeReport(Outcome.OK, DeviceStatus.UP, "t0", "")
REFUSED = "mtd_ingest_refused_total"


class Leases:
    """Allows devices, under an epoch."""

    def __init__(self) -> None:
        self.epochs = {DEVICE.device_id: 7}

    def may_poll(self, device_id: str) -> bool:
        return device_id in self.epochs

    def epoch_of(self, device_id: str) -> int:
        return self.epochs.get(device_id, 0)


def test_events_carry_the_epoch() -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.fence = Leases()
        bench.recorder.record(DEVICE, bench.frame())
        bench.recorder.record_outcome(DEVICE, UP)
        bench.recorder.record_probe(DEVICE, FACTS)
        assert [event.lease_epoch for event in await bench.events()] == [7, 7, 7, 7]

    with_bench(body)


def test_what_comes_after_the_lease_is_refused_and_counted() -> None:
    async def body(bench: Bench) -> None:
        leases = bench.recorder.fence = Leases()
        bench.recorder.record(DEVICE, bench.frame())
        before, events = metric(REFUSED, reason="lease_over"), len(await bench.events())
        leases.epochs.clear()
        bench.recorder.record(DEVICE, bench.frame())
        bench.recorder.record_outcome(DEVICE, UP)
        bench.recorder.record_probe(DEVICE, FACTS)
        bench.recorder.record(OTHER, bench.frame())
        assert len(await bench.events()) == events
        assert metric(REFUSED, reason="lease_over") - before == 4

    with_bench(body)


def test_what_no_poll_brought_is_recorded_all_the_same() -> None:
    """Of a device whose password can't be read, or about one that moves: whoever says it needs no lease."""

    async def body(bench: Bench) -> None:
        bench.recorder.fence = Leases()
        bench.recorder.record_outcome(OTHER, UP, polled=False)
        bench.recorder.record_event(CHANGE, OTHER)
        bench.recorder.record_event_of(OTHER.tenant_id, CHANGE, OTHER.device_id)
        events = await bench.events()
        assert [(event.device_id, event.lease_epoch) for event in events] == [(OTHER.device_id, 0)] * 3

    with_bench(body)


def test_frames_of_a_device_that_two_poll_say_which_interval_they_are_of() -> None:
    async def body(bench: Bench) -> None:
        bench.recorder.interval_s_of = lambda device, group: {"t0": 2.5}.get(group, 0.0)
        twice = replace(DEVICE, redundancy=2)
        bench.recorder.record(twice, bench.frame())
        bench.recorder.record(twice, bench.frame("t1"))
        bench.recorder.record(OTHER, bench.frame())
        frames = [event for event in await bench.events() if event.HasField("frame")]
        assert [event.HasField("redundant") for event in frames] == [True, False, False]
        assert (frames[0].redundant.interval_us, frames[0].redundant.poll_group) == (2_500_000, "t0")

    with_bench(body)
