"""Lines that workers receive: what is stored and counted is what it is without them; and what becomes of those that die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mtd.core.errors import Misconfigured
from mtd.listeners.syslog.pipe import Portion
from mtd.model.logs import LogEntry
from mtd.pb.events.v1.logs_pb2 import LogLine
from mtd.testing import run_async
from mtd.testing.metrics import metric
from mtd.testing.syslog.lines import address_of, lines_of, name_of
from tests.unit.listeners.kit import device
from tests.unit.listeners.syslog.kit import Bench, dropped, running

DOWN = b"interface,info ether1 link down"
SENDERS = 6
LINES = 60
ROUTERS = lines_of(SENDERS, LINES)  # once: they say when it was
QUICK = {"lines_per_s": 1e6}
ODD = [
    b'<30>1 2026-06-07T09:16:59Z core-1 prog 7 id [a@1 b="c"] interface,info ether1 link down',
    b"CEF:0|MikroTik|RB|7.18|18|interface,info|Low|msg=ether1 link down dvchost=core-1",
    b"script,info caf\xe9 \xf0\x9f",
    b"script,info " + b"x" * 9000,
    b"",
    b"\0\0\r\n",
    b"<999>no priority",
    b"script,debug too mild to be kept",
]


def with_workers(work: Callable[[Bench], Awaitable[None]], workers: int = 2, **settings: Any) -> Bench:
    return run_async(running(work, workers=workers, **settings), timeout_s=90)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something; processes take a while to start on a busy machine."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def received() -> float:
    return metric("mtd_listeners_messages_total", listener="syslog")


def kernel() -> float:
    return metric("mtd_listeners_kernel_dropped_total", listener="syslog")


REASONS = (
    "unknown_sender",
    "ambiguous_sender",
    "too_fast",
    "filtered",
    "queue_full",
    "not_recorded",
    "stopped",
    "worker_died",
)


def counts() -> dict[str, float]:
    told = {name: metric(f"mtd_listeners_{name}_total", listener="syslog") for name in ("messages", "stored")}
    told |= {name: metric(f"mtd_listeners_{name}_total", listener="syslog") for name in ("repeats", "cut")}
    told["understood"] = metric("mtd_listeners_understood_total", listener="syslog")
    return told | {reason: dropped(reason) for reason in REASONS}


async def send_all_kinds(bench: Bench) -> None:
    """Have devices, strangers and addresses of several send lines of each form, some of them again."""
    bench.service.apply_devices(
        [
            device("core-1", "127.0.0.1"),
            *(device(name_of(sender), address_of(sender)) for sender in range(SENDERS)),
            device("a", "127.0.0.3"),
            device("b", "127.0.0.3"),
        ]
    )
    bench.service.apply_addresses({"127.0.0.4": ["id-core-1"]})
    before = received()
    for sender, lines in enumerate(ROUTERS):
        bench.send_from(address_of(sender), *lines)
    bench.send_from("127.0.0.1", *ODD, DOWN, DOWN, DOWN)
    bench.send_from("127.0.0.4", b"script,info from another address of it")
    bench.send_from("127.0.0.9", b"<30>Jun 07 09:16:59 attic interface,info ether1 link down", DOWN)
    bench.send_from(
        "127.0.0.3", b"<30>Jun 07 09:16:59 b script,info mine", b"<30>Jun 07 09:16:59 c script,info whose"
    )
    await until(lambda: received() - before == SENDERS * LINES + len(ODD) + 8)


def told(line: LogLine) -> bytes:
    """Return a line without the moment at which it came."""
    copy = LogLine()
    copy.CopyFrom(line)
    assert copy.received_at_us > 1_700_000_000_000_000
    copy.ClearField("received_at_us")
    return copy.SerializeToString(deterministic=True)


def in_order(bench: Bench) -> dict[tuple[str, str], list[bytes]]:
    """Return what is stored of each device and sender."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for name, sender, line in bench.told.stored:
        found.setdefault((name, sender), []).append(told(line))
    return found


@pytest.mark.parametrize("settings", [{}, {"repeat_window_s": 3600, "least_severe": "info"}])
def test_what_is_stored_and_counted_is_the_same_with_workers(settings: dict[str, Any]) -> None:
    results = []
    for workers in (0, 2):
        before = counts()
        bench = with_workers(send_all_kinds, workers, **QUICK, **settings)
        after = counts()
        strangers = {(one.address, one.name, one.lines) for one in bench.service.strangers}
        results.append(
            (
                in_order(bench),
                {name: after[name] - before[name] for name in after},
                strangers,
                bench.strangers,
            )
        )
    without, with_two = results
    assert without == with_two
    assert without[0]["b", "127.0.0.3"]
    assert without[1]["unknown_sender"] == 2
    assert without[1]["ambiguous_sender"] == 1
    assert ("127.0.0.9", "attic", 2) in without[2]


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_each_line_that_came_is_stored_a_repeat_or_dropped_for_one_reason(workers: int, takes: bool) -> None:
    async def work(bench: Bench) -> None:
        bench.told.takes = takes
        came = received()
        await send_all_kinds(bench)
        bench.send(*[b"script,info again and again"] * 30)
        await until(lambda: received() - came == SENDERS * LINES + len(ODD) + 38)

    before = counts()
    with_workers(work, workers, repeat_window_s=3600, lines_per_s=2.0, least_severe="info")
    found = {name: count - before[name] for name, count in counts().items()}
    assert found["messages"] == found["stored"] + found["repeats"] + sum(found[one] for one in REASONS)
    # Of each address so many as its pace has room for, of others all that came in the first moment.
    assert found["too_fast"] > 0
    assert found["filtered"] > 0
    assert (found["repeats"] > 0) == takes
    assert (found["not_recorded"] > 0) != takes


def test_lines_wait_in_the_kernel_until_it_is_known_which_devices_there_are() -> None:
    async def main() -> None:
        bench = Bench(workers=1)
        assert bench.service._workers is not None
        bench.service._workers._told_devices = b""
        await bench.service.start()
        bench.send(DOWN)
        await asyncio.sleep(0.2)
        assert bench.told.stored == []
        bench.service.apply_devices([device("core-1", "127.0.0.1")])
        await bench.until(1)
        await bench.service.stop()
        bench.socket.close()

    run_async(main(), timeout_s=60)


def test_one_sender_is_with_one_worker_from_whatever_ports_it_sends() -> None:
    async def work(bench: Bench) -> None:
        before = received()
        for _ in range(30):
            bench.send_from("127.0.0.1", DOWN)
        await until(lambda: received() - before == 30)

    before = dropped("too_fast")
    bench = with_workers(work, 3, lines_per_s=1.0)
    # Its pace is that of one.
    assert 10 <= len(bench.told.stored) <= 15
    lost = dropped("too_fast") - before
    assert lost + len(bench.told.stored) == 30
    assert [(one.name, lines) for one, lines in bench.service.too_fast] == [("core-1", lost)]
    ((name, change),) = bench.told.changes
    assert (name, change.event_type, change.new) == ("core-1", "syslog.lines.dropped", f"{lost:g}")


def test_lines_wait_while_the_log_takes_nothing_and_are_counted_when_they_are_too_many() -> None:
    text = b"script,info " + b"x" * 500

    async def work(bench: Bench) -> None:
        came, full, sent = received() + kernel(), dropped("queue_full"), 0
        workers = bench.service._workers
        assert workers is not None
        bench.told.pressure = 0.9
        # It reads those that fit into what may be handed over, keeps as many as may wait, and drops the others.
        while dropped("queue_full") == full:
            bench.send(*[text] * 100)
            sent += 100
            await until(lambda: received() + kernel() - came == sent)  # noqa: B023
        assert bench.told.stored == []
        assert 1_000_000 < workers._waiting_bytes < 1_500_000
        bench.told.pressure = 0.0
        lost = kernel() - lost_before
        await until(lambda: len(bench.told.stored) + dropped("queue_full") - full + lost == sent)
        # It goes on: what was recorded made room.
        bench.send(DOWN)
        await until(lambda: bench.told.stored[-1][2].text == "ether1 link down")

    lost_before = kernel()
    with_workers(work, 1, max_waiting_bytes=2**20, **QUICK)


def test_what_a_worker_had_in_its_memory_when_it_died_is_counted_and_another_one_goes_on() -> None:
    async def work(bench: Bench) -> None:
        before = received()
        bench.send(*[DOWN] * 50)  # all but the first wait for the end of the window
        await until(lambda: received() - before == 50)
        workers = bench.service._workers
        assert workers is not None
        processes = [slot.process for slot in workers._slots if slot.process is not None]
        for process in processes:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        await until(lambda: all(process.died for process in processes))
        assert 49 <= dropped("worker_died") - died <= 50
        assert "worker ended" in bench.service.failure
        bench.send(*[DOWN] * 7)  # the kernel keeps them for the next one
        await until(lambda: received() - before == 57)
        await until(lambda: not bench.service.failure)

    died = dropped("worker_died")
    bench = with_workers(work, repeat_window_s=3600)
    assert dropped("worker_died") - died + sum(1 + line.repeats for _, _, line in bench.told.stored) == 57


def test_all_go_by_the_rules_that_there_were_at_the_start(tmp_path: Path) -> None:
    own = tmp_path / "rules.yaml"
    own.write_text("rules:\n- event: site.door.opened\n  contains: link down\n  pattern: 'link down$'\n")

    async def work(bench: Bench) -> None:
        own.write_text("rules: [half an edit")
        workers = bench.service._workers
        assert workers is not None
        process = workers._slots[0].process
        assert process is not None
        await until(lambda: process.pid)
        os.kill(process.pid or 0, signal.SIGKILL)
        await until(lambda: process.died)
        bench.send(DOWN)
        await until(lambda: bench.told.stored)

    bench = with_workers(work, 1, rules_file=str(own))
    assert [line.event_type for _, _, line in bench.told.stored] == ["site.door.opened"]


def test_that_nothing_is_recorded_any_more_is_told() -> None:
    async def work(bench: Bench) -> None:
        def fails(*_: object) -> bool:
            raise RuntimeError("a fault of mtd")

        assert not bench.service.failure
        bench.told.record_pushed = fails  # type: ignore[method-assign]
        bench.send(DOWN)
        await until(lambda: "isn't recorded any more" in bench.service.failure)

    with_workers(work, 1)


def test_what_was_received_is_recorded_at_the_end_though_the_log_takes_nothing() -> None:
    async def work(bench: Bench) -> None:
        before = received()
        bench.told.pressure = 0.9
        bench.send(*[DOWN] * 20)
        await until(lambda: received() - before == 20)

    assert len(with_workers(work, 1, flush_s=10).told.stored) == 20


def test_what_the_recorder_does_not_take_is_counted() -> None:
    async def work(bench: Bench) -> None:
        bench.told.takes = False
        bench.send(DOWN)
        await until(lambda: dropped("not_recorded") == before + 1)

    before = dropped("not_recorded")
    with_workers(work, 1)


def test_lines_of_a_device_that_was_removed_meanwhile_are_nobodys() -> None:
    async def work(bench: Bench) -> None:
        before = received()
        bench.told.pressure = 0.9
        bench.send(DOWN)
        await until(lambda: received() - before == 1)
        assert bench.service._workers is not None
        await until(lambda: bench.service._workers._waiting_bytes)  # type: ignore[union-attr]
        bench.service.apply_devices([device("core-2", "127.0.0.2")])

    before = dropped("unknown_sender")
    assert with_workers(work, 1).told.stored == []
    assert dropped("unknown_sender") == before + 1


def test_what_the_kernel_drops_is_counted() -> None:
    async def main() -> None:
        bench = Bench(workers=1, receive_buffer_bytes=65_536)
        assert bench.service._workers is not None
        bench.service._workers._told_devices = b""  # nothing is received as yet
        await bench.service.start()
        bench.send(*([b"x" * 4000] * 500))
        bench.service._workers.count_drops()
        assert kernel() - before > 100
        bench.service.apply_devices([device("core-1", "127.0.0.1")])
        await until(lambda: received() - came + kernel() - before == 500)
        await bench.service.stop()
        bench.socket.close()

    before, came = kernel(), received()
    run_async(main(), timeout_s=60)


def test_a_port_that_is_taken_says_what_to_do() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        bench = Bench(workers=2, udp_port=taken.getsockname()[1])

        async def main() -> None:
            with pytest.raises(Misconfigured, match=r"UDP port \d+: Address already in use; end the program"):
                await bench.service.start()

        run_async(main())
    assert bench.service.udp_port == 0
    bench.socket.close()


def test_tcp_stays_with_the_daemon() -> None:
    async def work(bench: Bench) -> None:
        assert bench.service.tcp is not None
        _, writer = await asyncio.open_connection("127.0.0.1", bench.service.tcp.port)
        writer.write(b"script,info over tcp\n")
        bench.send(b"script,info over udp")
        await bench.until(2)
        writer.close()

    bench = with_workers(work, 1, tcp_port=0)
    assert {line.text for _, _, line in bench.told.stored} == {"over tcp", "over udp"}
    assert [entry.text for _, _, entry in bench.told.lines] == ["over tcp"]


def test_what_no_worker_can_have_written_is_refused() -> None:
    framed = Portion.of("d", "192.0.2.1", [LogEntry(1, "a", "a")]).framed[5:]
    for body in (b"", framed[:7], framed[:-1], framed[:8]):
        with pytest.raises(ValueError, match="a portion|of lines"):
            Portion.read(body).envelope()


def test_a_portion_says_how_many_lines_it_stands_for() -> None:
    portion = Portion.of("d", "192.0.2.1", [LogEntry(1, "a", "a"), LogEntry(2, "b", "b", repeats=3)])
    assert (portion.lines, portion.whole) == (2, 5)
    read = Portion.read(portion.framed[5:])
    assert read == portion
    event = read.envelope()
    assert (event.device_id, event.tenant_id, event.collected_at_us) == ("d", "", 1)
    assert [line.text for line in event.log_batch.lines] == ["a", "b"]
