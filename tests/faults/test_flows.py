"""What attackers and bad days do to flows: workers that hang or are killed, a full disk, and forged senders.

Runbooks: `partition-failure` (workers), `queue-growth` (the disk).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mtd.core.worker_process import Patience
from mtd.testing import run_async
from mtd.testing.faults.disks import may_mount, small_disk
from mtd.testing.metrics import metric
from tests.unit.codec.flows import kit
from tests.unit.listeners.flows.test_service import TEMPLATE, Bench, rows
from tests.unit.listeners.kit import device

pytestmark = pytest.mark.timeout(300)

FORGED = kit.set_of(0, kit.template(256, (2, 4), (1, 4)))
"""The fields of the template, the other way round."""


class Line:
    """Sends from one address and port."""

    def __init__(self, bench: Bench, address: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._to = ("127.0.0.1", bench.service.ports[0])
        self._sent = 0

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *sets: bytes, uptime_ms: int = 10_000_000) -> None:
        self._sent += 1
        self._socket.sendto(kit.v9(*sets, sequence=self._sent, uptime_ms=uptime_ms), self._to)


def run(work: Callable[[Bench], Awaitable[None]], folder: Path, **settings: object) -> Bench:
    bench = Bench(folder, **settings)

    async def main() -> None:
        bench.service.apply_devices([device("core-1", "127.0.0.1")])
        await bench.service.start()
        try:
            await work(bench)
        finally:
            await bench.service.stop()

    run_async(main(), timeout_s=200)
    return bench


def test_a_worker_that_hangs_is_replaced_and_what_came_meanwhile_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtd.listeners.flows.service._PATIENCE", Patience(stop_s=3.0, silence_s=8.0))
    silences = metric("mtd_core_worker_silences_total", worker="flows")

    async def work(bench: Bench) -> None:
        with Line(bench) as line:
            line.send(TEMPLATE, rows(1))
            await bench.until(lambda: bench.octets)
            (worker,) = bench.service._workers
            hung = worker.pid
            assert hung is not None
            os.kill(hung, signal.SIGSTOP)
            line.send(TEMPLATE, rows(2))
            await bench.until(lambda: "no sign of life" in bench.service.failure)
            await bench.until(lambda: len(bench.octets) == 2)
            assert worker.pid != hung

    assert run(work, tmp_path).octets == [1, 2]
    assert metric("mtd_core_worker_silences_total", worker="flows") > silences


def test_kills_under_a_stream_lose_no_record_uncounted(tmp_path: Path) -> None:
    """Five kills, each in the midst of a stream: what isn't stored is told, to one datagram for each kill."""
    kills, datagrams, each = 5, 1500, 24
    died = metric("mtd_flows_dropped_records_total", reason="worker_died")
    many = rows(*[1] * each)

    async def work(bench: Bench) -> None:
        (worker,) = bench.service._workers
        with Line(bench) as line:
            for number in range(datagrams):
                if number % (datagrams // kills) == 50:
                    # Some are in its memory, and some were handed over; the last ones wait in the kernel.
                    await bench.until(lambda: worker.pid is not None)
                    await bench.until(lambda: any(bench.service._accounts[0]._view.tolist()))
                    if worker.pid is not None:
                        os.kill(worker.pid, signal.SIGKILL)
                    worker._backoff.reset()
                line.send(TEMPLATE, many)
        await bench.until(lambda: accounted(bench) >= each * (datagrams - kills))

    def accounted(bench: Bench) -> int:
        lost = metric("mtd_flows_dropped_records_total", reason="worker_died") - died
        return sum(batch.records for _, batch in bench.told.flows) + int(lost)

    bench = run(work, tmp_path, flush_s=0.5)
    assert each * (datagrams - kills) <= accounted(bench) <= each * datagrams
    assert metric("mtd_flows_dropped_records_total", reason="worker_died") > died


@pytest.mark.skipif(not may_mount(), reason="only root can mount the disk that is filled here")
def test_on_a_full_disk_flows_go_on_and_templates_are_written_once_there_is_room(tmp_path: Path) -> None:
    failures = metric("mtd_flows_template_write_failures_total")

    with small_disk(tmp_path / "disk", 5) as disk:

        async def full(bench: Bench) -> None:
            disk.fill()
            with Line(bench) as line:
                line.send(TEMPLATE, rows(1))
                await bench.until(lambda: bench.octets)
                await bench.until(lambda: "No space left" in bench.service.failure)
                line.send(rows(2))
                await bench.until(lambda: len(bench.octets) == 2)
                disk.empty()
                await bench.until(lambda: not bench.service.failure)

        async def after(bench: Bench) -> None:
            with Line(bench) as line:
                line.send(rows(3))
                await bench.until(lambda: bench.octets)

        assert run(full, disk.path).octets == [1, 2]
        assert run(after, disk.path).octets == [3], "what it was taught is there"
    assert metric("mtd_flows_template_write_failures_total") > failures


def test_forged_templates_do_not_change_what_the_exporter_says_and_are_told(tmp_path: Path) -> None:
    """Who knows address and source id, and not the port, sends templates, starts and records in its name."""
    conflicts = metric("mtd_flows_template_conflicts_total")

    async def work(bench: Bench) -> None:
        with Line(bench) as exporter:
            exporter.send(TEMPLATE)
            for number in range(10):
                with Line(bench) as forger:
                    forger.send(FORGED, uptime_ms=1000)
                    forger.send(FORGED)
                exporter.send(kit.set_of(256, struct.pack(">II", 1000 + number, 7)))
            await bench.until(lambda: sum(bench.octets) == sum(range(1000, 1010)))
        await bench.until(lambda: bench.told.changes)

    bench = run(work, tmp_path)
    assert sum(batch.packets for _, batch in bench.told.flows) == 70
    ((name, change),) = bench.told.changes
    assert (name, change.event_type) == ("core-1", "flows.template.conflict")
    assert "let only exporters reach the ports of flows" in change.message
    assert bench.service.exporters["127.0.0.1"]["template_conflicts"] >= 10
    assert metric("mtd_flows_template_conflicts_total") - conflicts >= 10


def test_forged_datagrams_of_one_port_are_told(tmp_path: Path) -> None:
    """Nothing tells a forger apart who knows the port as well: that templates flip is what shows."""

    async def work(bench: Bench) -> None:
        with Line(bench) as line:
            for _ in range(5):
                line.send(TEMPLATE)
                line.send(FORGED)
            await bench.until(lambda: bench.told.changes)
            await asyncio.sleep(0)

    bench = run(work, tmp_path)
    assert bench.service.exporters["127.0.0.1"]["template_conflicts"] == 9
    assert [change.event_type for _, change in bench.told.changes] == ["flows.template.conflict"]
