"""The listener for flows with a real worker and real sockets: what is sent is recorded, and what isn't is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mtd.core.errors import Misconfigured
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.ledger import Account
from mtd.listeners.flows.service import FlowsService
from mtd.model.sighting import FoundBy, Sighting
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.codec.flows import kit
from tests.unit.listeners.kit import Told, device

TEMPLATE = kit.set_of(0, kit.template(256, (1, 4), (2, 4)))


def rows(*octets: int) -> bytes:
    return kit.set_of(256, b"".join(struct.pack(">II", one, 1) for one in octets))


class Bench:
    """A service on a port of its own, with senders on addresses of the loopback."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.told = Told()
        self.sightings: list[Sighting] = []
        config = FlowsConfig.model_validate({"host": "127.0.0.1", "ports": [0], "flush_s": 0.05, **settings})
        self.service = FlowsService(
            config,
            self.told,  # type: ignore[arg-type]
            folder,
            self.sightings.append,
        )

    def send(self, *datagrams: bytes, source: str = "127.0.0.1", port: int | None = None) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            for datagram in datagrams:
                sender.sendto(datagram, ("127.0.0.1", port or self.service.ports[0]))

    @property
    def octets(self) -> list[int]:
        return [batch.octets for _, batch in self.told.flows]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.02)


def with_bench(work: Callable[[Bench], Awaitable[None]], folder: Path, **settings: Any) -> Bench:
    bench = Bench(folder, **settings)
    run_bench(bench, work)
    return bench


def run_bench(bench: Bench, work: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        bench.service.apply_devices([device("core-1", "127.0.0.1"), device("core-2", "127.0.0.2")])
        await bench.service.start()
        try:
            await work(bench)
        finally:
            await bench.service.stop()

    run_async(main(), timeout_s=60)


def waiting(bench: Bench) -> float:
    """Return how much waits in workers, as they told the last time."""
    return bench.service._read_waiting()


def test_flows_of_a_known_device_are_recorded(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, rows(100, 200), sequence=1))
        bench.send(kit.v5(kit.v5_record("10.0.0.1", "10.0.0.2", 7)), source="127.0.0.2")
        await bench.until(lambda: len(bench.told.flows) == 2)
        await bench.until(lambda: len(bench.service.exporters) == 2)

    before = metric("mtd_flows_datagrams_total")
    bench = with_bench(work, tmp_path)
    assert sorted((name, batch.exporter, batch.octets) for name, batch in bench.told.flows) == [
        ("core-1", "127.0.0.1", 300),
        ("core-2", "127.0.0.2", 7),
    ]
    assert metric("mtd_flows_datagrams_total") - before == 2
    assert bench.service.exporters["127.0.0.1"]["stored"] == 2


def test_strangers_become_proposals_and_are_read_once_they_are_known(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, rows(1), sequence=1), source="127.0.0.9")
        await bench.until(lambda: bench.sightings)
        assert [one.address for one in bench.service.strangers] == ["127.0.0.9"]
        bench.service.apply_devices([device("new", "127.0.0.9")])
        assert not bench.service.strangers
        while not bench.told.flows:
            bench.send(kit.v9(TEMPLATE, rows(2), sequence=2), source="127.0.0.9")
            await asyncio.sleep(0.05)

    bench = with_bench(work, tmp_path)
    assert [(one.found_by, one.address) for one in bench.sightings] == [(FoundBy.FLOWS, "127.0.0.9")]
    # A batch may hold several of the later ones, none what came before.
    assert all(batch.octets == 2 * batch.records for _, batch in bench.told.flows)


def test_what_was_received_is_passed_on_at_the_end(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        before = metric("mtd_flows_datagrams_total")
        bench.send(kit.v9(TEMPLATE, rows(5), sequence=1))
        await bench.until(lambda: metric("mtd_flows_datagrams_total") > before)
        assert not bench.told.flows

    assert with_bench(work, tmp_path, flush_s=30).octets == [5]


def test_that_nothing_is_recorded_any_more_is_told(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        def fails(*_: object) -> bool:
            raise RuntimeError("a fault of mtd")

        assert not bench.service.failure
        bench.told.record_pushed = fails  # type: ignore[method-assign]
        bench.send(kit.v9(TEMPLATE, rows(1), sequence=1))
        await bench.until(lambda: "isn't recorded any more" in bench.service.failure)

    with_bench(work, tmp_path)


def test_templates_outlive_a_restart(tmp_path: Path) -> None:
    async def first(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, rows(1), sequence=1))
        await bench.until(lambda: bench.told.flows)

    async def second(bench: Bench) -> None:
        bench.send(kit.v9(rows(2), sequence=2))
        await bench.until(lambda: bench.told.flows)

    assert with_bench(first, tmp_path).octets == [1]
    assert with_bench(second, tmp_path).octets == [2]


def test_a_worker_that_is_killed_is_started_again_and_what_came_meanwhile_is_read(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, rows(1), sequence=1))
        await bench.until(lambda: bench.told.flows)
        (worker,) = bench.service._workers
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        await bench.until(lambda: worker.died)
        assert "worker ended" in bench.service.failure
        bench.send(kit.v9(TEMPLATE, rows(2), sequence=2))
        await bench.until(lambda: len(bench.told.flows) == 2)
        await bench.until(lambda: not bench.service.failure)

    assert with_bench(work, tmp_path).octets == [1, 2]


def test_what_dies_with_a_worker_is_counted_to_the_record(tmp_path: Path) -> None:
    """A stream of records, in the midst of which the worker is killed: each one is stored, or counted as lost."""
    many = rows(*[1] * 24)

    async def work(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, sequence=1), kit.v9(TEMPLATE, sequence=1), source="127.0.0.9")
        (worker,) = bench.service._workers
        await bench.until(lambda: metric("mtd_flows_unknown_sender_datagrams_total") == strangers + 2)
        for number in range(600):
            if number == 300:
                assert worker.pid is not None
                os.kill(worker.pid, signal.SIGKILL)
            bench.send(kit.v9(TEMPLATE, many, sequence=1 + number))
            await asyncio.sleep(0)
        await bench.until(lambda: metric("mtd_flows_datagrams_total") - datagrams >= 599)
        await bench.until(lambda: kept() + died() >= 24 * 599)

    def kept() -> int:
        return sum(batch.records for _, batch in bench.told.flows)

    def died() -> int:
        return int(metric("mtd_flows_dropped_records_total", reason="worker_died") - before)

    datagrams = metric("mtd_flows_datagrams_total")
    strangers = metric("mtd_flows_unknown_sender_datagrams_total")
    before = metric("mtd_flows_dropped_records_total", reason="worker_died")
    bench = Bench(tmp_path, flush_s=1)
    run_bench(bench, work)
    counts = bench.service.exporters["127.0.0.1"]
    # The datagram that the worker had in its hands may be counted without its records, or not at all.
    assert kept() + died() in (24 * 599, 24 * 600)
    assert metric("mtd_flows_datagrams_total") - datagrams in (599, 600)
    assert counts["worker_died"] == died()


def test_nothing_dies_with_a_worker_that_is_ended(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(*(kit.v9(TEMPLATE, rows(1, 2), sequence=number) for number in range(50)))
        await bench.until(lambda: metric("mtd_flows_datagrams_total") > before)

    before = metric("mtd_flows_datagrams_total")
    died = metric("mtd_flows_dropped_records_total", reason="worker_died")
    assert sum(with_bench(work, tmp_path, flush_s=30).octets) == 150
    assert metric("mtd_flows_dropped_records_total", reason="worker_died") == died


def test_several_workers_share_the_ports(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        ports = bench.service.ports
        assert len(ports) == 2
        for number in range(8):
            bench.send(
                kit.v9(TEMPLATE, rows(10 + number), sequence=1),
                source=f"127.0.0.{1 + number % 2}",
                port=ports[number % 2],
            )
        await bench.until(lambda: sum(bench.octets) == sum(range(10, 18)))

    bench = with_bench(work, tmp_path, workers=3, ports=[0, 0])
    assert {name for name, _ in bench.told.flows} == {"core-1", "core-2"}


def test_domains_tell_devices_of_one_address_apart(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        for domain in (7, 8, 9):
            bench.send(kit.v9(TEMPLATE, rows(domain), sequence=1, source=domain), source="127.0.0.5")
        await bench.until(lambda: len(bench.told.flows) == 2)
        await bench.until(lambda: bench.service.exporters["127.0.0.5"]["stored"] == 3)

    domains = {"7": "core-1", "8": "core-2"}
    bench = with_bench(work, tmp_path, exporters={"127.0.0.5": {"domains": domains}})
    assert [one.name for one in bench.service.devices_of("127.0.0.5")] == ["core-1", "core-2"]
    assert [one.name for one in bench.service.devices_of("127.0.0.2")] == ["core-2"]
    assert not bench.service.devices_of("127.0.0.9")
    assert sorted((name, batch.domain) for name, batch in bench.told.flows) == [("core-1", 7), ("core-2", 8)]


def test_an_address_of_several_devices_is_nobodys(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.service.apply_devices([device("a", "127.0.0.1", "t1"), device("b", "127.0.0.1", "t2")])
        before = metric("mtd_flows_dropped_records_total", reason="ambiguous_sender")
        bench.send(kit.v9(TEMPLATE, rows(1, 2), sequence=1))
        await bench.until(
            lambda: metric("mtd_flows_dropped_records_total", reason="ambiguous_sender") == before + 2
        )

    assert with_bench(work, tmp_path).told.flows == []


def test_where_the_sampling_comes_from_is_counted_by_exporter(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, rows(1, 2), sequence=1))
        bench.send(kit.v9(TEMPLATE, rows(3), sequence=1), source="127.0.0.2")
        await bench.until(lambda: len(bench.told.flows) == 2)

    exporters = with_bench(work, tmp_path, exporters={"127.0.0.2": {"sampling": 10}}).service.exporters
    assert exporters["127.0.0.1"]["sampling_assumed"] == 2
    assert exporters["127.0.0.2"]["sampling_configured"] == 1
    assert "sampling_assumed" not in exporters["127.0.0.2"]


def test_what_an_address_sent_is_forgotten_when_it_is_another_tenants(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(kit.v9(TEMPLATE, rows(1), sequence=1))
        bench.send(kit.v9(TEMPLATE, rows(2), sequence=1), source="127.0.0.2")
        await bench.until(lambda: len(bench.service.exporters) == 2)
        bench.service.apply_devices([device("theirs", "127.0.0.1", "u"), device("core-2", "127.0.0.2")])
        assert set(bench.service.exporters) == {"127.0.0.2"}
        bench.service.apply_devices([device("theirs", "127.0.0.1", "u")])
        assert not bench.service.exporters

    with_bench(work, tmp_path)


def test_what_the_recorder_refuses_is_counted(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.told.takes = False
        before = metric("mtd_flows_dropped_records_total", reason="not_recorded")
        bench.send(kit.v9(TEMPLATE, rows(1, 2), sequence=1))
        await bench.until(
            lambda: metric("mtd_flows_dropped_records_total", reason="not_recorded") == before + 2
        )

    with_bench(work, tmp_path)


def test_flows_wait_while_the_log_takes_nothing(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.told.pressure = 0.9
        before = metric("mtd_flows_datagrams_total")
        bench.send(kit.v9(TEMPLATE, rows(1), sequence=1))
        await asyncio.sleep(0.5)
        assert not bench.told.flows
        bench.told.pressure = 0.0
        await bench.until(lambda: bench.told.flows)
        await bench.until(lambda: metric("mtd_flows_datagrams_total") > before)

    assert with_bench(work, tmp_path).octets == [1]


@pytest.mark.parametrize("flush_s", [0.05, 30], ids=["handed over", "in the worker"])
def test_nothing_becomes_another_tenants_when_an_address_changes_hands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_s: float
) -> None:
    """What A sent waits with the daemon, with the worker and for its template; then the address is B's."""
    monkeypatch.setattr("mtd.listeners.flows.service.MOST_BYTES_EACH", 1)
    held = kit.set_of(257, struct.pack(">II", 999, 1))
    theirs = kit.set_of(0, kit.template(257, (1, 4), (2, 4)))

    sent = 0

    async def work(bench: Bench) -> None:
        nonlocal sent
        bench.told.pressure = 0.9
        while sent < 10 or flush_s < 1 and not (bench.service._handed.bytes_of(0) and waiting(bench)):
            bench.send(kit.v9(TEMPLATE, rows(1, 2), held, sequence=sent))
            sent += 1
            await asyncio.sleep(0.06)
        await bench.until(lambda: metric("mtd_flows_datagrams_total") == datagrams + sent)
        bench.service.apply_devices([device("theirs", "127.0.0.1", "u")])
        assert not bench.service.exporters
        while metric("mtd_flows_unknown_sender_datagrams_total") == strangers:  # then the worker knows
            bench.send(b"nonsense", source="127.0.0.2")
            await asyncio.sleep(0.05)
        bench.send(kit.v9(theirs, TEMPLATE, rows(7), sequence=1))
        await bench.until(lambda: bench.service.exporters.get("127.0.0.1"))
        bench.told.pressure = 0.0

    datagrams = metric("mtd_flows_datagrams_total")
    strangers = metric("mtd_flows_unknown_sender_datagrams_total")
    given_up = metric("mtd_flows_dropped_sets_total")
    dropped = metric("mtd_flows_dropped_records_total", reason="other_tenant")
    bench = with_bench(work, tmp_path, flush_s=flush_s)
    assert [(name, batch.octets) for name, batch in bench.told.flows] == [("theirs", 7)]
    assert metric("mtd_flows_dropped_records_total", reason="other_tenant") == dropped + 2 * sent
    assert metric("mtd_flows_dropped_sets_total") == given_up + sent
    assert bench.service.exporters["127.0.0.1"]["datagrams"] == 1


def test_what_was_counted_before_an_address_changed_hands_is_not_shown_to_who_has_it_now(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.service._accounts = [Account(1)]

    def told(known: int) -> dict[str, Any]:
        news: dict[str, Any] = {"exporters": {"127.0.0.1": {"datagrams": 1}}, "gone": {}, "strangers": {}}
        plain = {"unkept": 0, "unkept_why": "", "waiting_bytes": 0, "kernel_dropped": 0}
        return {**news, **plain, "known": known}

    async def main() -> None:
        bench.service._workers = [bench.service._worker(0, ())]
        bench.service.apply_devices([device("ours", "127.0.0.1", "t")])
        bench.service._count(0, told(1))
        assert bench.service.exporters == {"127.0.0.1": {"datagrams": 1}}
        bench.service.apply_devices([device("theirs", "127.0.0.1", "u")])
        bench.service._count(0, told(1))
        assert not bench.service.exporters
        bench.service._count(0, told(2))
        assert bench.service.exporters == {"127.0.0.1": {"datagrams": 1}}
        bench.service.apply_devices([])
        bench.service._count(0, told(3))
        assert not bench.service.exporters

    run_async(main())
    bench.service._accounts[0].close()


def test_a_name_in_domains_is_nobodys_where_there_are_several_tenants(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.service.apply_devices([device("core-1", "127.0.0.1", "t"), device("core-1", "127.0.0.2", "u")])
        before = metric("mtd_flows_dropped_records_total", reason="unknown_sender")
        while (
            metric("mtd_flows_dropped_records_total", reason="unknown_sender") == before or not bench.octets
        ):
            for domain in (7, 8):
                bench.send(kit.v9(TEMPLATE, rows(domain), source=domain), source="127.0.0.5")
            await asyncio.sleep(0.1)
        assert [one.tenant_id for one in bench.service.devices_of("127.0.0.5")] == ["t"]

    bench = with_bench(work, tmp_path, exporters={"127.0.0.5": {"domains": {"7": "core-1", "8": "t/core-1"}}})
    assert {batch.domain for _, batch in bench.told.flows} == {8}


def test_while_the_log_takes_nothing_counts_go_on_and_a_killed_worker_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream goes on meanwhile; all of it is stored afterwards, or counted."""
    most, each = 600, 24
    monkeypatch.setattr("mtd.listeners.flows.service.MOST_BYTES_EACH", most)
    sent = 0

    async def work(bench: Bench) -> None:
        (worker,) = bench.service._workers

        async def counted_more(condition: Callable[[], object] = lambda: True) -> None:
            """Wait until counts of what is sent from now on came."""
            nonlocal sent
            begin = metric("mtd_flows_datagrams_total")
            deadline = asyncio.get_running_loop().time() + 30
            while metric("mtd_flows_datagrams_total") <= begin or not condition():
                assert asyncio.get_running_loop().time() < deadline
                bench.send(kit.v9(TEMPLATE, rows(*[1] * each), sequence=sent))
                sent += 1
                assert bench.service._handed.bytes_of(0) <= most
                await asyncio.sleep(0.02)

        bench.told.pressure = 0.9
        await counted_more(lambda: waiting(bench))
        await counted_more()
        for _ in range(2):
            starts = metric("mtd_flows_worker_starts_total")
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker._backoff.reset()
            await counted_more(lambda before=starts: metric("mtd_flows_worker_starts_total") > before)
            await counted_more(lambda: waiting(bench))
        assert not bench.told.flows
        bench.told.pressure = 0.0
        await bench.until(lambda: metric("mtd_flows_datagrams_total") >= datagrams + sent - 2)
        await bench.until(lambda: not bench.service._handed.bytes_of(0) and not waiting(bench))

    datagrams = metric("mtd_flows_datagrams_total")
    died = metric("mtd_flows_dropped_records_total", reason="worker_died")
    full = metric("mtd_flows_dropped_records_total", reason="queue_full")
    bench = with_bench(work, tmp_path)
    lost = metric("mtd_flows_dropped_records_total", reason="worker_died") - died
    stored = sum(batch.records for _, batch in bench.told.flows)
    assert metric("mtd_flows_dropped_records_total", reason="queue_full") == full
    assert each * (sent - 2) <= stored + lost <= each * sent
    assert stored
    assert lost


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        service = Bench(tmp_path, ports=[taken.getsockname()[1]]).service

        async def main() -> None:
            with pytest.raises(Misconfigured, match="flows.ports"):
                await service.start()

        run_async(main())
    assert service.ports == []
