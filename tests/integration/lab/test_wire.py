"""Tags, streams and cancelling, as they are on the wire."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.lab.raw import RawClient, encode, eventually, row

START = Callable[..., Any]


def test_pipelined_commands_are_answered_with_their_tags(start_lab: START) -> None:
    lab = start_lab(six={"version": "6.49.10"}, seven={"version": "7.16.2"})
    for name, place in (("six", -1), ("seven", 1)):
        with RawClient(lab.endpoint(name)) as client:
            client.send("/system/identity/print", ".tag=a")
            client.send("/system/identity/print", ".tag=b=c")
            found = [client.sentence() for _ in range(4)]
            assert [(s[0], s[place]) for s in found] == [
                (b"!re", b".tag=a"),
                (b"!done", b".tag=a"),
                (b"!re", b".tag=b=c"),
                (b"!done", b".tag=b=c"),
            ]


def test_all_answers_of_a_batch_are_of_one_tick(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        words = ("/interface/print", "=.proplist=.id,rx-byte", "?.id=*1")
        client.socket.sendall(encode(*words) + encode(*words))
        found = [client.sentence() for _ in range(4)]
    assert found[0] == found[2]


def test_listen_tells_what_changed_and_is_cancelled(start_lab: START) -> None:
    lab = start_lab(seven={"pppoe": 2})
    with RawClient(lab.endpoint("seven")) as client:
        client.send("/interface/listen", ".tag=5")
        client.ask("/system/identity/print")
        lab.call(lab.lab.inject, "seven", "link-flap", interfaces=["*1"])
        changed = client.sentence()
        assert (row(changed)[".id"], row(changed)["running"]) == (b"*1", b"false")
        lab.call(lab.lab.inject, "seven", "pppoe-drop", sessions=1)
        assert row(client.sentence()) == {".id": b"*F00002", ".dead": b"true"}
        found = client.ask("/cancel", "=tag=5", ".tag=6")
        assert found[0] == [b"!trap", b".tag=5", b"=category=2", b"=message=interrupted"]
        assert found[1] == [b"!done", b".tag=5"]
        assert client.sentence() == [b"!done", b".tag=6"]


def test_cancel_without_a_tag_ends_everything(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        client.send("/interface/print", "=interval=50ms", "=.proplist=.id,rx-byte", "?.id=*1", ".tag=1")
        client.send("/interface/ethernet/monitor", "=numbers=*1", "=interval=50ms", ".tag=2")
        seen = {1: 0, 2: 0}
        while min(seen.values()) < 3:
            sentence = client.sentence()
            assert sentence[0] == b"!re"
            seen[int(sentence[1][5:])] += 1
        client.send("/cancel", ".tag=3")
        ends = []
        while not ends or ends[-1][1] != b".tag=3":
            sentence = client.sentence()
            if sentence[0] != b"!re":
                ends.append(sentence[:2])
        assert sorted(ends) == sorted(
            [[b"!trap", b".tag=1"], [b"!done", b".tag=1"], [b"!trap", b".tag=2"], [b"!done", b".tag=2"]]
            + [[b"!done", b".tag=3"]]
        )
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sentence()


def test_a_duration_bounds_a_monitor(start_lab: START) -> None:
    lab = start_lab(six={"version": "6.49.10"})
    with RawClient(lab.endpoint("six")) as client:
        words = ("/interface/monitor-traffic", "=interface=sfp-sfpplus1", "=interval=20ms", "=duration=60ms")
        *rows, done = client.ask(*words)
    assert len(rows) == 3
    assert done == [b"!done"]
    rate = lab.lab.world.router("six").true_rate("*1", "rx-byte", 0, 60_000)
    assert int(row(rows[0])["rx-bits-per-second"]) == pytest.approx(rate * 8, rel=0.8)


def test_follow_gives_the_log_and_what_comes(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        client.send("/log/print", "=follow=", "=.proplist=message")
        assert row(client.sentence()) == {"message": b"router rebooted"}
        client.sentence()
        with RawClient(lab.endpoint("seven"), login=False) as other:
            other.ask("/login", "=name=eve", "=password=guess")
        assert b"login failure for user eve" in row(client.sentence())["message"]


def test_quit_says_goodbye(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        client.send("/quit")
        assert client.sentence() == [b"!fatal", b"session terminated on request"]
        with pytest.raises(EOFError):
            client.sentence()
    eventually(lambda: lab.lab.stats("seven")["seven"]["sessions_open"] == 0)


@pytest.mark.parametrize("data", [b"\xff\x00", b"\xc1\x00\x00", b"\x05hello\x00"])
def test_noise_before_login_ends_the_connection(start_lab: START, data: bytes) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven"), login=False) as client:
        client.socket.sendall(data)
        left = client.stream.read()
    assert left in (b"", b"\x06!fatal\x0dnot logged in\x00")


def test_rows_come_with_the_properties_asked_for_only(start_lab: START) -> None:
    lab = start_lab(seven={})
    with RawClient(lab.endpoint("seven")) as client:
        found = client.ask("/system/resource/print", "=.proplist=cpu-load,nothing,uptime")
    assert list(row(found[0])) == ["cpu-load", "uptime"]
