"""The syslog listener on real sockets: what is sent is recorded, and what isn't is counted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mtd.core.errors import Misconfigured
from mtd.listeners.syslog.reading import load_rules
from mtd.listeners.udp import Received, dropped_by_kernel
from mtd.model.sighting import FoundBy, Sighting
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.unit.listeners.kit import device
from tests.unit.listeners.syslog.kit import Bench, dropped, sent_over_tcp, with_bench

DOWN = b"interface,info ether1 link down"


def test_a_line_over_udp_is_recorded_with_its_meaning() -> None:
    async def work(bench: Bench) -> None:
        bench.send(DOWN)
        await bench.until(1)

    ((name, sender, entry),) = with_bench(work).told.lines
    assert (name, sender) == ("core-1", "127.0.0.1")
    assert (entry.text, entry.original) == ("ether1 link down", DOWN.decode())
    assert (entry.event_type, entry.entity_type, entry.entity) == (
        "interface.oper.changed",
        "interface",
        "ether1",
    )
    assert (entry.state_field, entry.old, entry.new) == ("running", "up", "down")
    assert entry.topics == ("interface", "info")
    assert entry.severity == 4  # the rule's: a link that goes down is more than the "info" that RouterOS says
    assert entry.received_us > 1_700_000_000_000_000


def test_lines_of_one_moment_are_one_event() -> None:
    async def work(bench: Bench) -> None:
        bench.send(*(b"script,info line %d" % number for number in range(50)))
        await bench.until(50)

    told = with_bench(work, flush_s=0.3).told
    assert [entry.text for _, _, entry in told.lines] == [f"line {number}" for number in range(50)]
    assert told.batches <= 2


def test_many_lines_are_cut_into_events_of_a_bearable_size() -> None:
    async def work(bench: Bench) -> None:
        for number in range(1200):
            bench.send(b"script,info " + b"x" * 1000 + b" %d" % number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await bench.until(1200)

    told = with_bench(work).told
    assert len(told.lines) == 1200
    assert told.batches >= 8


@pytest.mark.parametrize(
    "pieces",
    [
        (b"script,info one\nscript,info two\n",),
        (b"script,info one\r\n", b"scri", b"pt,info two\r\n"),
        (b"19 <30>script,info one19 <30>script,info two",),
        (b"19 <30>script,info ", b"one19 <30>script,info two"),
    ],
)
def test_lines_over_tcp_have_ends_or_counts(pieces: tuple[bytes, ...]) -> None:
    async def work(bench: Bench) -> None:
        await sent_over_tcp(bench, *pieces, pause_s=0.3)
        await bench.until(2)

    told = with_bench(work, tcp_port=0, idle_s=5).told
    assert [entry.text for _, _, entry in told.lines] == ["one", "two"]


def test_a_router_that_tells_no_ends_sends_one_line_after_the_other() -> None:
    async def work(bench: Bench) -> None:
        lines = [b"script,info line %d" % number for number in range(40)]
        await sent_over_tcp(bench, *lines, pause_s=0.005)
        await bench.until(40)

    # They come quicker than a pause is long.
    told = with_bench(work, tcp_port=0, idle_s=5).told
    assert [entry.text for _, _, entry in told.lines] == [f"line {number}" for number in range(40)]


def test_the_beginning_of_a_line_that_is_too_long_is_kept() -> None:
    async def work(bench: Bench) -> None:
        await sent_over_tcp(bench, b"script,info " + b"x" * 50_000 + b"\nscript,info next\n")
        await bench.until(2)

    before = metric("mtd_listeners_cut_total", listener="syslog")
    long, following = with_bench(work, tcp_port=0).told.lines
    assert long[2].cut
    assert len(long[2].original) == 8192
    assert following[2].text == "next"
    assert metric("mtd_listeners_cut_total", listener="syslog") == before + 1


def test_lines_wait_until_it_is_known_which_devices_there_are() -> None:
    async def main() -> None:
        bench = Bench()
        bench.service._devices_known.clear()
        await bench.service.start()
        bench.send(DOWN)
        await asyncio.sleep(0.1)
        assert bench.told.lines == []
        bench.service.apply_devices([device("core-1", "127.0.0.1")])
        await bench.until(1)
        await bench.service.stop()
        bench.socket.close()

    run_async(main())


def test_lines_wait_while_the_log_takes_nothing() -> None:
    async def work(bench: Bench) -> None:
        bench.told.pressure = 0.9
        bench.send(DOWN)
        await asyncio.sleep(0.2)
        assert bench.told.lines == []
        bench.told.pressure = 0.0
        await bench.until(1)

    with_bench(work)


def test_who_is_nobodys_device_is_told_once_in_a_while() -> None:
    async def work(bench: Bench) -> None:
        bench.service.apply_devices([])
        for name in (b"one", b"two") * 20:
            bench.send(b"<30>Jun 07 09:16:59 " + name + b" interface,info ether1 link down")
        async with asyncio.timeout(20):
            while not bench.service.strangers or bench.service.strangers[0].lines < 40:
                await asyncio.sleep(0.005)

    assert len(with_bench(work).strangers) == 1


def test_a_sender_that_is_nobodys_device_is_told_and_its_lines_are_counted() -> None:
    async def work(bench: Bench) -> None:
        bench.service.apply_devices([])
        bench.send(b"<30>Jun 07 09:16:59 attic interface,info ether1 link down", DOWN)
        async with asyncio.timeout(20):
            while not bench.service.strangers or bench.service.strangers[0].lines < 2:
                await asyncio.sleep(0.005)

    before = dropped("unknown_sender")
    bench = with_bench(work)
    assert bench.told.lines == []
    (stranger,) = bench.service.strangers
    assert (stranger.address, stranger.name, stranger.lines) == ("127.0.0.1", "attic", 2)
    assert bench.strangers[0] == Sighting(FoundBy.SYSLOG, address="127.0.0.1", identity="attic")
    assert dropped("unknown_sender") == before + 2


def test_a_sender_that_could_be_several_is_none() -> None:
    async def work(bench: Bench) -> None:
        bench.service.apply_devices([device("a", "127.0.0.1"), device("b", "127.0.0.1")])
        bench.send(DOWN, b"<30>Jun 07 09:16:59 b interface,info ether1 link down")
        await bench.until(1)

    before = dropped("ambiguous_sender")
    bench = with_bench(work)
    assert [name for name, _, _ in bench.told.lines] == ["b"]
    assert dropped("ambiguous_sender") == before + 1


def test_a_device_that_sends_too_much_is_held_back_and_told_of() -> None:
    async def work(bench: Bench) -> None:
        bench.send(*([DOWN] * 30))
        await bench.until(10)

    before = dropped("too_fast")
    bench = with_bench(work, lines_per_s=1.0)
    told = bench.told
    assert 10 <= len(told.lines) <= 12
    lost = dropped("too_fast") - before
    assert lost + len(told.lines) == 30
    assert [(one.name, lines) for one, lines in bench.service.too_fast] == [("core-1", lost)]
    bench.service.apply_devices([device("core-2", "127.0.0.2")])
    assert not bench.service.too_fast  # it isn't there any more
    ((name, change),) = told.changes
    assert (name, change.event_type, change.new) == ("core-1", "syslog.lines.dropped", f"{lost:g}")


def test_only_what_is_severe_or_understood_is_stored_if_so_wished() -> None:
    async def work(bench: Bench) -> None:
        bench.send(b"script,info a", b"script,error b", DOWN)
        await asyncio.sleep(0.2)

    before = dropped("filtered")
    severe = with_bench(work, least_severe="error").told
    assert [entry.text for _, _, entry in severe.lines] == ["b"]
    events = with_bench(work, stored="events").told
    assert [entry.text for _, _, entry in events.lines] == ["ether1 link down"]
    assert dropped("filtered") == before + 4


def test_repeats_are_stored_once_with_their_number() -> None:
    async def work(bench: Bench) -> None:
        bench.send(*([DOWN] * 5))
        await bench.until(2)

    told = with_bench(work, repeat_window_s=0.2).told
    assert [entry.repeats for _, _, entry in told.lines] == [0, 3]


def test_what_the_recorder_does_not_take_is_counted() -> None:
    async def work(bench: Bench) -> None:
        bench.told.takes = False
        bench.send(DOWN)
        async with asyncio.timeout(20):
            while not bench.told.batches:
                await asyncio.sleep(0.005)

    before = dropped("not_recorded")
    with_bench(work)
    assert dropped("not_recorded") == before + 1


def test_what_does_not_fit_into_the_inbox_is_counted() -> None:
    async def work(bench: Bench) -> None:
        # Nothing is read until this task lets the others: all of it waits in the kernel, then in the inbox.
        bench.send(*([b"script,info " + b"x" * 500] * 200))
        async with asyncio.timeout(20):
            while dropped("queue_full") == before:
                await asyncio.sleep(0.005)

    before = dropped("queue_full")
    received = metric("mtd_listeners_messages_total", listener="syslog")
    bench = with_bench(work, max_waiting_bytes=65_536)
    lost = dropped("queue_full") - before
    assert metric("mtd_listeners_messages_total", listener="syslog") - received == 200
    assert len(bench.told.lines) == 200 - lost
    assert lost > 0


def test_what_the_kernel_drops_is_counted() -> None:
    async def work(bench: Bench) -> None:
        bench.send(*([b"x" * 4000] * 500))
        made = bench.service.udp._socket
        assert made is not None
        assert dropped_by_kernel(made) > 100
        await asyncio.sleep(0.1)

    before = metric("mtd_listeners_kernel_dropped_total", listener="syslog")
    received = metric("mtd_listeners_messages_total", listener="syslog")
    with_bench(work, receive_buffer_bytes=65_536)
    lost = metric("mtd_listeners_kernel_dropped_total", listener="syslog") - before
    assert metric("mtd_listeners_messages_total", listener="syslog") - received + lost == 500


def test_in_a_burst_what_the_kernel_holds_comes_first() -> None:
    async def work(bench: Bench) -> None:
        bench.told.pressure = 0.0
        bench.service.udp.is_behind = True
        bench.service._inbox.put(Received(1, DOWN, "127.0.0.1"))
        await asyncio.sleep(0.05)
        assert bench.told.lines == []
        # More than half of what may wait does: then it is looked at all the same.
        while bench.service._inbox.fill < 0.6:
            bench.service._inbox.put(Received(1, DOWN, "127.0.0.1"))
        waiting = len(bench.service._inbox)
        await bench.until(1)
        bench.service.udp.is_behind = False
        await bench.until(waiting)

    with_bench(work, max_waiting_bytes=65_536)


def test_what_was_received_is_recorded_at_the_end() -> None:
    async def work(bench: Bench) -> None:
        bench.send(*([DOWN] * 20))

    assert len(with_bench(work, flush_s=10).told.lines) == 20


def test_a_port_that_is_taken_says_what_to_do() -> None:
    async def main() -> None:
        first = Bench()
        await first.service.start()
        second = Bench(udp_port=first.service.udp.port)
        with pytest.raises(Misconfigured, match=r"UDP port \d+: Address already in use; end the program"):
            await second.service.start()
        await first.service.stop()
        first.socket.close()
        second.socket.close()

    run_async(main())


def test_rules_of_ones_own_go_first(tmp_path: Path) -> None:
    own = tmp_path / "rules.yaml"
    own.write_text(
        "rules:\n"
        "- event: site.door.opened\n"
        "  contains: link down\n"
        "  pattern: '^(?P<interface>ether9) link down$'\n"
        "  entity: interface\n"
        "- event: site.caller\n"
        "  contains: caller\n"
        "  pattern: '^caller %{MAC:mac}$'\n"
    )
    rules = load_rules(own)
    assert rules.find((), "ether9 link down").event_type == "site.door.opened"  # type: ignore[union-attr]
    assert rules.find((), "ether1 link down").event_type == "interface.oper.changed"  # type: ignore[union-attr]
    assert rules.find((), "caller 00:11:22:33:44:55").event_type == "site.caller"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "message"),
    [("rules: [1]", "rule 1"), (": :", "no YAML"), ("\x00", "no YAML"), (None, "No such file")],
)
def test_a_file_of_rules_that_can_not_be_used_is_refused(
    content: str | None, message: str, tmp_path: Path
) -> None:
    own = tmp_path / "rules.yaml"
    if content is not None:
        own.write_text(content)
    with pytest.raises(Misconfigured, match=message):
        load_rules(own)


def test_a_large_piece_is_taken_in_turns_and_nothing_of_it_is_lost() -> None:
    async def work(bench: Bench) -> None:
        await sent_over_tcp(bench, b"".join(b"script,info line %d\n" % number for number in range(20_000)))
        await bench.until(20_000)

    told = with_bench(work, tcp_port=0, lines_per_s=10_000.0).told
    assert [entry.text for _, _, entry in told.lines] == [f"line {number}" for number in range(20_000)]


def test_udp_can_be_off() -> None:
    async def work(bench: Bench) -> None:
        assert bench.service.udp.port == 0
        await sent_over_tcp(bench, b"script,info one\n")
        await bench.until(1)

    with_bench(work, udp=False, tcp_port=0)
    with pytest.raises(ValueError, match="udp is off"):
        Bench(udp=False)
