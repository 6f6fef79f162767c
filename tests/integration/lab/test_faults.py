"""What goes wrong, as a client sees it."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtd.core.errors import Refused
from mtd.lab.control import LabControl
from mtd.lab.world import World
from tests.integration.lab.raw import RawClient, eventually, row

START = Callable[..., Any]
COUNTERS = ("/interface/print", "=.proplist=.id,rx-byte,tx-byte")


def counters(found: list[list[bytes]]) -> dict[str, dict[str, int]]:
    rows = [row(sentence) for sentence in found[:-1]]
    return {
        content[".id"].decode(): {key: int(content[key]) for key in ("rx-byte", "tx-byte")}
        for content in rows
    }


def test_a_reboot_drops_refuses_and_starts_anew(start_lab: START) -> None:
    lab = start_lab(seven={})
    endpoint = lab.endpoint("seven")
    with RawClient(endpoint) as client:
        applied = lab.call(lab.lab.inject, "seven", "reboot", boot_s=0.3)
        with pytest.raises((EOFError, ConnectionError)):
            client.sentence()
    with pytest.raises(ConnectionRefusedError):
        RawClient(endpoint)
    lab_clock = lab.lab.world.clock
    eventually(
        lambda: lab_clock.now_tick() > applied.start_tick + 300 and not lab.lab.routers["seven"].faults
    )
    with RawClient(endpoint) as client:
        first = lab_clock.now_tick()
        values = counters(client.ask(*COUNTERS))
        uptime = row(client.ask("/system/resource/print")[0])["uptime"]
    assert lab.lab.world.router("seven").match(values, first, lab_clock.now_tick()) is not None
    assert values["*1"]["rx-byte"] < 10**10
    assert uptime in (b"0s", b"1s", b"2s")


def test_a_black_hole_is_silent_then_goes_on(start_lab: START) -> None:
    lab = start_lab(seven={}, other={})
    with RawClient(lab.endpoint("seven")) as client, RawClient(lab.endpoint("other")) as other:
        lab.call(lab.lab.inject, "seven", "black-hole")
        client.send("/system/identity/print")
        assert client.silent_for(0.2)
        with RawClient(lab.endpoint("seven"), login=False) as late:
            late.send("/login", "=name=mtd", "=password=lab-password")
            assert late.silent_for(0.1)
            assert len(other.ask("/system/identity/print")) == 2
            assert lab.call(lab.lab.clear, "seven") == 1
            late.socket.settimeout(5)
            assert late.sentence() == [b"!done"]
        client.socket.settimeout(5)
        assert row(client.sentence()) == {"name": b"seven"}


def test_a_black_hole_may_lose_the_handshake_too(start_lab: START) -> None:
    lab = start_lab(seven={})
    endpoint = lab.endpoint("seven")
    lab.call(lab.lab.inject, "seven", "black-hole", accept=False)
    with pytest.raises(TimeoutError):
        socket.create_connection((endpoint.host, endpoint.port), timeout=0.3)
    lab.call(lab.lab.clear, "seven", "black-hole")
    with RawClient(endpoint) as client:
        assert len(client.ask("/system/identity/print")) == 2


def test_half_open_kills_old_sessions_only(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as old:
        lab.call(lab.lab.inject, "seven", "half-open")
        old.send("/system/identity/print")
        assert old.silent_for(0.2)
        with RawClient(lab.endpoint("seven")) as new:
            assert len(new.ask("/system/identity/print")) == 2
        lab.call(lab.lab.clear, "seven")
        assert old.silent_for(0.1)


def test_slow_answers_come_whole_and_late(start_lab: START) -> None:
    lab = start_lab(seven={})
    clock = lab.lab.world.clock
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "slow", delay_s=0.2, bytes_per_s=20_000)
        begin = clock.now_tick()
        client.send("/system/resource/print")
        client.send("/system/identity/print")
        found = [client.sentence() for _ in range(4)]
        assert clock.now_tick() - begin >= 200
    assert row(found[0])["platform"] == b"MikroTik"
    assert row(found[2]) == {"name": b"seven"}


def test_noise_has_the_length_of_an_answer(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        client.send("/system/identity/print")
        size = len(client.socket.recv(4096))
        lab.call(lab.lab.inject, "seven", "garbage")
        client.send("/system/identity/print")
        assert len(client.socket.recv(4096)) == size


def test_login_can_be_refused_and_rights_missing(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "denied")
        assert client.ask("/system/identity/print")[0] == [b"!trap", b"=message=not enough permissions (9)"]
        lab.call(lab.lab.clear, "seven")
        lab.call(lab.lab.inject, "seven", "login-refused")
        assert len(client.ask("/system/identity/print")) == 2
        with RawClient(lab.endpoint("seven"), login=False) as late:
            found = late.ask("/login", "=name=mtd", "=password=lab-password")
    assert found[0] == [b"!trap", b"=message=invalid user name or password (6)"]


def test_fatal_ends_the_session(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "fatal", message="out of memory")
        client.send("/system/identity/print")
        assert client.sentence() == [b"!fatal", b"out of memory"]
        assert client.stream.read() == b""


def test_a_cut_breaks_in_the_middle(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "cut")
        client.send("/interface/print")
        assert client.sentence()[0] == b"!re"
        with pytest.raises((EOFError, ConnectionResetError)):
            client.until(b"!done")


def test_a_web_server_may_be_on_the_port(start_lab: START) -> None:
    lab = start_lab(seven={"fault": [{"kind": "plainhttp"}]})
    eventually(lambda: lab.lab.routers["seven"].faults)
    with RawClient(lab.endpoint("seven"), login=False) as client:
        client.send("/login")
        assert client.stream.read().startswith(b"HTTP/1.1 400 ")


def test_a_word_of_a_gigabyte_is_announced(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "hugelength")
        client.send("/interface/print")
        head = client.stream.read(14)
        assert head == b"\x03!re\x07=.id=*1\xf0\x40"
        assert client.stream.read(3) == b"\x00\x00\x00"


def test_ten_million_rows_stream_at_the_readers_pace_until_cancelled(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "huge")
        client.send("/ip/route/print", ".tag=1")
        ids = [row(client.sentence())[".id"] for _ in range(2_000)]
        assert ids == [b"*%X" % number for number in range(1, 2_001)]
        stats = lab.lab.stats("seven")["seven"]
        eventually(lambda: not all(s.writable.is_set() for s in lab.lab.routers["seven"].sessions))
        held = lab.lab.stats("seven")["seven"]["bytes_sent"]
        threading.Event().wait(0.1)
        assert lab.lab.stats("seven")["seven"]["bytes_sent"] == held < 20_000_000
        assert stats["aborted_slow_readers"] == 0
        client.send("/cancel", "=tag=1", ".tag=2")
        sentence = client.sentence()
        while sentence[0] == b"!re":
            sentence = client.sentence()
        assert sentence == [b"!trap", b".tag=1", b"=category=2", b"=message=interrupted"]


def test_one_menu_may_be_silent_until_it_is_cancelled(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "menu-silent", menu="/system/health")
        client.send("/system/health/print", ".tag=1")
        assert row(client.ask("/system/identity/print")[0]) == {"name": b"seven"}
        client.send("/cancel", "=tag=1", ".tag=2")
        assert client.sentence() == [b"!trap", b".tag=1", b"=category=2", b"=message=interrupted"]
        assert client.sentence() == [b"!done", b".tag=1"]
        assert client.sentence() == [b"!done", b".tag=2"]
        lab.call(lab.lab.clear, "seven")
        assert client.ask("/system/health/print")[-1] == [b"!done"]


def test_only_the_counting_of_a_menu_may_be_silent(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "menu-silent", menu="/interface", only_counts=True)
        client.send("/interface/print", "=count-only=", ".tag=1")
        found = client.ask("/interface/print", "=.proplist=.id")
        assert len(found) == 31
        assert not any(b".tag=1" in sentence for sentence in found)
        assert client.silent_for(0.1)


def test_a_cancel_may_be_ignored(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "menu-silent", menu="/system/health")
        lab.call(lab.lab.inject, "seven", "ignore-cancel")
        client.send("/system/health/print", ".tag=1")
        client.send("/cancel", "=tag=1", ".tag=2")
        assert row(client.ask("/system/identity/print")[0]) == {"name": b"seven"}
        assert client.silent_for(0.1)


def test_errors_may_lack_their_category(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        with_category = client.ask("/interface/listen", "=interval=x")[0]
        assert any(word.startswith(b"=category=") for word in with_category)
        lab.call(lab.lab.inject, "seven", "no-category")
        assert client.ask("/interface/listen", "=interval=x")[0] == [
            word for word in with_category if not word.startswith(b"=category=")
        ]
        client.send("/interface/listen", ".tag=1")
        client.send("/cancel", "=tag=1", ".tag=2")
        assert client.sentence() == [b"!trap", b".tag=1", b"=message=interrupted"]


def test_rows_that_nobody_asked_for_come_beside_the_answers(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        lab.call(lab.lab.inject, "seven", "stray-tags")
        client.send("/system/identity/print", ".tag=1")
        found = [client.sentence() for _ in range(2000)]
        assert [b"!done", b".tag=1"] in found
        assert sum(b".tag=stray" in sentence for sentence in found) == 1998
        lab.call(lab.lab.clear, "seven")
        client.send("/system/identity/print", ".tag=2")
        assert client.until(b"!done")[-1] == [b"!done", b".tag=2"]
        assert client.silent_for(0.1)


def test_the_control_door_injects_counts_and_tells_the_timeline(start_lab: START, tmp_path: Path) -> None:
    lab = start_lab(seven={"pppoe": 5}, six={"version": "6.49.10"})
    state = tmp_path / "lab.json"
    lab.call(lab.lab.write_state, state)
    where = json.loads(state.read_text())["control"]
    with LabControl(where["host"], where["port"]) as control, RawClient(lab.endpoint("seven")) as client:
        injected = control.inject("seven", "link-flap", interfaces=["*1"])
        control.inject("seven", "counter-reset")
        assert control.clear("seven", "link-flap") == 1
        values = counters(client.ask(*COUNTERS))
        stats = control.stats("seven")["seven"]
        assert (stats["logins"], stats["sessions_open"], stats["rows"]) == (1, 1, 35)
        assert stats["values"] == 35 * 3
        assert stats["commands"] == {"/interface/print": 1}
        world = World.from_state_file(state)
        world.replay(control.timeline())
        now = control.call("now")["now_tick"]
        assert world.router("seven").match(values, injected["start_tick"], now) is not None
        with pytest.raises(Refused, match="no router 'nine'"):
            control.inject("nine", "slow")
        with pytest.raises(Refused, match="delay_s"):
            control.inject("seven", "slow", delay_s=-1)
        with pytest.raises(Refused, match="unknown operation"):
            control.call("explode")
        assert set(control.stats()) == {"seven", "six"}
