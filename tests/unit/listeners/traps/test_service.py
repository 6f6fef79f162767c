"""The listener for traps on real sockets: what is sent is recorded, and what isn't is counted."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtd.codec.snmp.ber import Reader
from mtd.core.errors import Misconfigured, Retryable
from mtd.listeners.traps import answers
from mtd.listeners.udp import Received
from mtd.model.device import Severity, SnmpSettings, SnmpVersion
from mtd.model.sighting import FoundBy, Sighting
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.codec.snmp import samples
from tests.unit.listeners.kit import device
from tests.unit.listeners.traps.kit import (
    COLD_START,
    LINK_DOWN,
    LINK_UP,
    Bench,
    dropped,
    link,
    running,
    v2c,
    with_bench,
)


def test_a_trap_becomes_an_event_of_its_device(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(samples.V1_LINK_DOWN, samples.V2C_LINK_DOWN)
        await bench.until_told(2)

    bench = with_bench(work, tmp_path)
    for name, change in bench.told.changes:
        assert (name, change.event_type, change.severity) == (
            "core-1",
            "interface.oper.changed",
            Severity.WARNING,
        )
        assert (change.entity_type, change.entity_id, change.entity_label) == ("interface", "*A", "ether10")
        assert (change.field, change.old, change.new) == ("running", "up", "down")
        assert change.message == "ether10 is down"
    # It happened when it came, however long it waited.
    assert all(moment > 1_700_000_000_000_000 for moment in bench.told.moments)


def test_an_inform_is_answered_and_recorded_once_however_often_it_comes(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        for request_id in (7, 7, 8):
            bench.send(v2c(COLD_START, inform=True, request_id=request_id))
            reader = Reader(await bench.answer()).inside(0x30)
            assert (reader.number(), reader.content(0x04)) == (1, b"public")
            assert reader.inside(0xA2).number() == request_id
        # Two traps alike are two.
        bench.send(v2c(COLD_START), v2c(COLD_START))
        await bench.until_told(4)

    before = metric("mtd_traps_answered_total"), metric("mtd_traps_repeated_total")
    assert with_bench(work, tmp_path).events == ["device.rebooted"] * 4
    after = metric("mtd_traps_answered_total"), metric("mtd_traps_repeated_total")
    assert (after[0] - before[0], after[1] - before[1]) == (3, 1)


def test_an_inform_is_answered_when_the_log_has_it_on_its_disk(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.told.durable.clear()
        before = metric("mtd_traps_repeated_total")
        bench.send(*[v2c(COLD_START, inform=True)] * 2)
        await bench.until_told(1)
        await bench.until(lambda: metric("mtd_traps_repeated_total") > before)
        await asyncio.sleep(0.15)  # longer than answers are gathered
        with pytest.raises(BlockingIOError):
            bench.socket.recv(100)
        bench.told.durable.set()
        await bench.answer()

    assert with_bench(work, tmp_path).events == ["device.rebooted"]


def test_what_the_recorder_does_not_take_is_counted_and_not_answered(tmp_path: Path) -> None:
    inform = v2c(COLD_START, inform=True)

    async def work(bench: Bench) -> None:
        before, stored = dropped("not_recorded"), metric("mtd_listeners_stored_total", listener="traps")
        bench.told.takes = False
        bench.send(inform, v2c(COLD_START))
        await bench.until(lambda: dropped("not_recorded") - before == 2)
        assert metric("mtd_listeners_stored_total", listener="traps") == stored
        bench.told.takes = True
        bench.send(inform)  # again, since there was no answer
        await bench.answer()
        with pytest.raises(BlockingIOError):
            bench.socket.recv(100)

    assert with_bench(work, tmp_path).events == ["device.rebooted"]


def test_more_answers_than_may_wait_are_counted_and_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_MOST", 3)

    async def work(bench: Bench) -> None:
        before = metric("mtd_traps_unanswered_total")
        bench.told.durable.clear()
        bench.send(*(v2c(COLD_START, inform=True, request_id=number) for number in range(5)))
        await bench.until(lambda: metric("mtd_traps_unanswered_total") - before == 2)
        bench.told.durable.set()
        for _ in range(3):
            await bench.answer()

    assert len(with_bench(work, tmp_path).events) == 5


def test_each_datagram_is_stored_a_repeat_a_question_or_dropped_for_one_reason(tmp_path: Path) -> None:
    def counts() -> tuple[float, ...]:
        names = ("mtd_listeners_stored_total", "mtd_traps_repeated_total", "mtd_traps_asked_total")
        found = [metric(name, **({"listener": "traps"} if "listeners" in name else {})) for name in names]
        reasons = ("unknown_sender", "too_fast", "not_recorded", "malformed", "unknown_user", "stopped")
        return (*found, *map(dropped, reasons))

    async def work(bench: Bench) -> None:
        inform, received = (
            v2c(COLD_START, inform=True),
            metric("mtd_listeners_messages_total", listener="traps"),
        )
        bench.send(inform, inform, v2c(COLD_START), v2c(LINK_DOWN, link(3)), b"noise", samples.V3_SHA_AES)
        await bench.until_told(3)
        bench.told.takes = False
        bench.send(v2c(COLD_START), *[b"noise"] * 6)
        bench.know(device("other", "127.0.0.2"))
        bench.send(b"anybody's")
        await bench.until(lambda: metric("mtd_listeners_messages_total", listener="traps") - received == 14)

    before = counts()
    with_bench(work, tmp_path, traps_per_s=1.0)
    assert sum(now - then for now, then in zip(counts(), before, strict=True)) == 14


def test_who_is_nobodys_device_is_proposed_and_not_answered(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.know()
        bench.send(*[v2c(COLD_START, inform=True)] * 3)
        await bench.until(lambda: bench.service.strangers and bench.service.strangers[0].lines == 3)
        with pytest.raises(BlockingIOError):
            bench.socket.recv(100)
        bench.know(device("new", "127.0.0.1"))
        assert not bench.service.strangers

    before = dropped("unknown_sender")
    bench = with_bench(work, tmp_path)
    assert bench.strangers == [Sighting(FoundBy.TRAPS, address="127.0.0.1")]
    assert bench.told.changes == []
    assert dropped("unknown_sender") - before == 3


def test_an_address_of_several_devices_is_nobodys(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.know(device("a", "127.0.0.1"), device("b", "127.0.0.1", tenant="other"))
        before = dropped("ambiguous_sender")
        bench.send(v2c(COLD_START))
        await bench.until(lambda: dropped("ambiguous_sender") > before)
        assert [one.name for one in bench.service.devices_of("127.0.0.1")] == ["a", "b"]

    bench = with_bench(work, tmp_path)
    assert (bench.told.changes, bench.strangers) == ([], [])


def test_only_configured_communities_and_that_of_the_poll_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "communities").write_text("noc\n\n backup \n")

    async def work(bench: Bench) -> None:
        own = SnmpSettings(SnmpVersion.V2C, community="polled")
        bench.know(dataclasses.replace(device("core-1", "127.0.0.1"), snmp=own))
        before = dropped("wrong_community")
        bench.send(
            *(v2c(COLD_START, community=one) for one in (b"public", b"noc", b"backup", b"polled", b""))
        )
        await bench.until_told(3)
        await bench.until(lambda: dropped("wrong_community") - before == 2)

    bench = with_bench(work, tmp_path, communities_file=str(tmp_path / "communities"))
    assert len(bench.told.changes) == 3


@pytest.mark.parametrize(
    ("data", "reason", "versions"),
    [
        (b"\x30\x02", "malformed", ["1", "2c", "3"]),
        (samples.V3_SHA_AES, "unknown_user", ["3"]),
        (samples.V3_SHA_AES, "version_off", ["1", "2c"]),
        (samples.V2C_INFORM, "version_off", ["3"]),
        (v2c(COLD_START)[:-1], "malformed", ["2c"]),
    ],
)
def test_what_is_refused_is_counted_by_its_reason(
    data: bytes, reason: str, versions: list[str], tmp_path: Path
) -> None:
    async def work(bench: Bench) -> None:
        before = dropped(reason)
        bench.send(data)
        await bench.until(lambda: dropped(reason) > before)

    assert with_bench(work, tmp_path, versions=versions).told.changes == []


def test_too_many_are_dropped_before_they_are_read_and_told_on_the_timeline(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        before = dropped("too_fast")
        bench.send(*[b"noise"] * 15)
        await bench.until(lambda: dropped("too_fast") - before == 5)
        bench.clock.ahead_s = 1.0
        bench.send(v2c(COLD_START))
        await bench.until_told(1)
        assert [(one.name, count) for one, count in bench.service.too_fast] == [("core-1", 5)]

    bench = with_bench(work, tmp_path, traps_per_s=1.0)
    assert bench.events == ["device.rebooted", "snmp.traps.dropped"]
    _, change = bench.told.changes[-1]
    assert (change.new, change.severity) == ("5", Severity.WARNING)


def test_traps_wait_while_the_log_takes_nothing(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.told.pressure = 0.9
        bench.send(v2c(COLD_START, inform=True))
        await bench.until(lambda: len(bench.service._inbox) == 1)
        assert bench.told.changes == []
        bench.told.pressure = 0.0
        await bench.until_told(1)
        await bench.answer()

    with_bench(work, tmp_path)


def test_traps_wait_until_it_is_known_which_devices_there_are(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.send(v2c(COLD_START))
        await bench.until(lambda: len(bench.service._inbox) == 1)
        bench.know(device("core-1", "127.0.0.1"))
        await bench.until_told(1)

    async def main() -> None:
        bench = Bench(tmp_path)
        bench.service._devices_known.clear()
        await running(work, bench)

    run_async(main())


def test_what_was_received_is_recorded_at_the_end(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        bench.told.pressure = 0.9
        bench.send(v2c(COLD_START), v2c(LINK_UP, link(1)))

    assert len(with_bench(work, tmp_path).told.changes) == 2


def test_a_port_that_is_taken_keeps_it_from_starting(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))

        async def main() -> None:
            bench = Bench(tmp_path, port=taken.getsockname()[1])
            with pytest.raises(Misconfigured, match="snmptrapd"):
                await bench.service.start()
            await bench.service.stop()
            bench.socket.close()

        run_async(main())


# -- names of interfaces -----------------------------------------------------------


def test_interfaces_are_called_as_the_inventory_knows_them_in_the_order_of_their_traps(
    tmp_path: Path,
) -> None:
    asked: list[tuple[str, str]] = []
    gate = asyncio.Event()

    async def read(tenant_id: str, device_id: str) -> Mapping[str, tuple[str, str]]:
        asked.append((tenant_id, device_id))
        await gate.wait()
        return {"*A": ("ether10", "Uplink")}

    async def work(bench: Bench) -> None:
        bench.send(
            v2c(LINK_DOWN, link(10)), v2c(LINK_UP, link(10)), v2c(COLD_START), v2c(LINK_DOWN, link(11))
        )
        await bench.until_told(1)  # who needs no name doesn't wait for one
        gate.set()
        await bench.until_told(4)
        bench.send(v2c(LINK_UP, link(10)))  # known by now
        await bench.until_told(5)
        bench.clock.ahead_s = 61.0
        bench.send(v2c(LINK_DOWN, link(10)))
        await bench.until_told(6)

    bench = with_bench(work, tmp_path, read_names=read)
    told = [
        (change.entity_id, change.entity_label, change.logged_as, change.new)
        for _, change in bench.told.changes
    ]
    assert told[1:] == [
        ("*A", "Uplink", "ether10", "down"),
        ("*A", "Uplink", "ether10", "up"),
        ("*B", "", "", "down"),
        ("*A", "Uplink", "ether10", "up"),
        ("*A", "Uplink", "ether10", "down"),
    ]
    assert [change.message for _, change in bench.told.changes[1:4]] == [
        "Uplink is down",
        "Uplink is up",
        "interface *B is down",
    ]
    assert asked == [("t", "id-core-1")] * 2


def test_names_that_can_t_be_had_hold_nothing_up(tmp_path: Path) -> None:
    async def read(_tenant_id: str, _device_id: str) -> Mapping[str, tuple[str, str]]:
        raise Retryable("the database is away")

    async def work(bench: Bench) -> None:
        bench.send(samples.V2C_LINK_DOWN)
        await bench.until_told(1)

    ((_, change),) = with_bench(work, tmp_path, read_names=read).told.changes
    assert (change.entity_id, change.entity_label) == ("*A", "ether10")


def test_who_still_waits_for_a_name_at_the_end_is_recorded_without(tmp_path: Path) -> None:
    async def read(_tenant_id: str, _device_id: str) -> Mapping[str, tuple[str, str]]:
        await asyncio.Event().wait()
        raise AssertionError

    async def work(bench: Bench) -> None:
        before = metric("mtd_traps_read_total", version="2c")
        bench.send(v2c(LINK_DOWN, link(10)))
        await bench.until(lambda: metric("mtd_traps_read_total", version="2c") > before)

    before = metric("mtd_traps_unnamed_total")
    ((_, change),) = with_bench(work, tmp_path, read_names=read).told.changes
    assert (change.entity_id, change.entity_label) == ("*A", "")
    assert metric("mtd_traps_unnamed_total") == before + 1


# -- hostile senders ---------------------------------------------------------------

_ENDS = (
    ("mtd_listeners_stored_total", {"listener": "traps"}),
    ("mtd_traps_repeated_total", {}),
    ("mtd_traps_asked_total", {}),
    *(
        ("mtd_listeners_dropped_total", {"listener": "traps", "reason": reason})
        for reason in [
            "malformed",
            "no_trap",
            "unknown_user",
            "unknown_engine",
            "wrong_level",
            "wrong_digest",
            "not_in_time_window",
            "undecryptable",
        ]
    ),
)


def ends() -> float:
    return sum(metric(name, **labels) for name, labels in _ENDS)


def test_whatever_is_sent_ends_somewhere_and_is_counted_there(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
        @given(
            st.sampled_from(samples.ALL),
            st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=4),
            st.integers(0, 40),
        )
        def check(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
            changed = bytearray(data)
            for place, byte in changes:
                changed[place % len(changed)] = byte
            before = ends()
            sent = bytes(changed[: len(changed) - cut] if cut < 10 else changed)
            bench.service._take(Received(1, sent, "127.0.0.1", bench.socket.getsockname()))
            assert ends() - before == 1

        check()
        for data in samples.ALL:  # whatever was tried, these are among it
            bench.service._take(Received(1, data, "127.0.0.1", bench.socket.getsockname()))

    bench = with_bench(work, tmp_path, traps_per_s=1e6)
    assert {"interface.oper.changed", "device.rebooted"} <= set(bench.events)
