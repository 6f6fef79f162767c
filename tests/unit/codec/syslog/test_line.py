"""Lines in all the ways in which they are written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtd.codec.syslog import Form, Severity, read_line
from mtd.codec.syslog.line import MAX_BYTES

FAILURE = "login failure for user guest from 192.168.88.17 via ssh"
LINES: list[tuple[bytes, dict[str, Any]]] = [
    (
        b"system,error,critical " + FAILURE.encode(),
        {"form": Form.PLAIN, "topics": ("system", "error", "critical"), "severity": Severity.CRITICAL, "text": FAILURE},
    ),
    (
        b"<27>Oct  2 17:36:35 MikroTik " + FAILURE.encode(),
        {
            "form": Form.BSD, "topics": (), "severity": Severity.ERROR, "facility": 3, "host": "MikroTik",
            "told_time": "Oct  2 17:36:35", "text": FAILURE,
        },
    ),
    (
        b"<30>Oct 12 17:36:35 core-1 interface,info ether1 link up (speed 1G, full duplex)",
        {"topics": ("interface", "info"), "severity": Severity.INFO, "text": "ether1 link up (speed 1G, full duplex)"},
    ),
    (b"<30>Oct 12 17:36:35 core-1 ether1: bridge port received packet", {"text": "ether1: bridge port received packet"}),
    (
        b"Oct  2 17:36:35 MikroTik CEF:0|MikroTik|hAP ax^2|7.25beta5|10|system,error,critical|High|dvchost=MikroTik"
        b" dvc=192.168.88.36 msg=" + FAILURE.encode() + b" app=ssh duser=guest outcome=failure src=192.168.88.17\r\n",
        {
            "form": Form.CEF, "topics": ("system", "error", "critical"), "host": "MikroTik", "text": FAILURE,
            "severity": Severity.CRITICAL,
            "fields": {
                "dvchost": "MikroTik", "dvc": "192.168.88.36", "msg": FAILURE, "app": "ssh", "duser": "guest",
                "outcome": "failure", "src": "192.168.88.17",
            },
        },
    ),
    (
        rb"CEF:0|MikroTik|a\|b|7.20|44|script,info|Low|msg=x \= y \\ z\nmore dvchost=r1",
        {"text": "x = y \\ z\nmore", "host": "r1", "topics": ("script", "info")},
    ),
    (
        b'<165>1 2026-10-11T22:14:15.003Z core-1 app 12 ID47 [a@1 x="y \\"] z"][b@2] \xef\xbb\xbfhello',
        {
            "form": Form.RFC5424, "host": "core-1", "program": "app", "process": "12", "text": "hello",
            "told_time": "2026-10-11T22:14:15.003Z", "severity": Severity.NOTICE, "facility": 20,
        },
    ),
    (
        b"<30>1 2026-11-27T20:41:00+00:00 core-1 system,error,critical - - -  login failure",  # as rsyslog forwards
        {
            "form": Form.RFC5424, "host": "core-1", "program": "", "topics": ("system", "error", "critical"),
            "text": "login failure",
        },
    ),
    (b"<30>1 - web-1 backup 7 - -  done", {"program": "backup", "process": "7", "text": "done"}),
    (b"<30>1 - - - - - - dhcp,info lan assigned 10.0.0.1", {"host": "", "topics": ("dhcp", "info"), "text": "lan assigned 10.0.0.1"}),
    (
        b"2023-03-19T12:34:09.757188+01:00 10.120.127.1 system,error,critical x",
        {"host": "10.120.127.1", "topics": ("system", "error", "critical"), "text": "x"},
    ),
    (
        b"Jun 07 08:15:22 server 10.0.0.1[548]: dhcp,info mikrotik1: intern assigned 10.0.0.50 to 00:11:22:78:6C:DB",
        {
            "host": "server", "program": "10.0.0.1", "process": "548", "topics": ("dhcp", "info"),
            "text": "mikrotik1: intern assigned 10.0.0.50 to 00:11:22:78:6C:DB",
        },
    ),
    (
        b"mar/02 09:04:31 wireless, info A6:CE:45:EA:FB:50@wlan1: disconnected",
        {"topics": ("wireless", "info"), "told_time": "mar/02 09:04:31", "host": "", "text": "A6:CE:45:EA:FB:50@wlan1: disconnected"},
    ),
    (b"2025-08-15 00:48:09 route,ospf,info backbone", {"topics": ("route", "ospf", "info"), "host": "", "text": "backbone"}),
    (b"dns query from 10.0.0.1", {"topics": ("dns",), "severity": None, "text": "query from 10.0.0.1"}),
    (b"<30>Oct 12 17:36:35 r1 dns is slow", {"topics": (), "text": "dns is slow"}),
    (b"hello,world is no list of topics", {"topics": (), "text": "hello,world is no list of topics"}),
    (b"teleport,info ready", {"topics": ("teleport", "info"), "text": "ready"}),
    (b"<999>x", {"form": Form.PLAIN, "severity": None, "text": "<999>x"}),
    (b"<13>Feb 31 nonsense", {"form": Form.BSD, "severity": Severity.NOTICE, "text": "Feb 31 nonsense"}),
    (b"script,info gr\xfc\xdfe", {"text": "gr\xfc\xdfe"}),
    ("script,info grüße".encode(), {"text": "grüße"}),
    (b"", {"text": "", "original": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), LINES)
def test_a_line_says_what_it_says(data: bytes, expected: dict[str, Any]) -> None:
    line = read_line(data)
    assert {name: getattr(line, name) for name in expected} == expected
    assert not line.cut


def test_a_code_page_is_that_of_the_device() -> None:
    assert read_line(b"script,info \xcf\xf0\xe8\xe2\xe5\xf2", "cp1251").text == "Привет"


def test_a_line_that_is_too_long_is_cut_and_says_so() -> None:
    line = read_line(b"script,info " + b"x" * 20_000)
    assert line.cut
    assert len(line.original) == MAX_BYTES


@given(st.binary(max_size=300))
@example(b"<1>1 ")
@example(b"CEF:0|||||||=")
@example(b"<0>Jan  1 00:00:00 ")
def test_nothing_that_is_sent_raises(data: bytes) -> None:
    for prefix in (b"", b"<30>", b"<30>Oct 12 17:36:35 ", b"<30>1 ", b"CEF:0|a|b|c|d|e|f|"):
        line = read_line(prefix + data)
        assert "\0" not in line.original


@given(st.sampled_from([data for data, _ in LINES]), st.data())
def test_nothing_that_is_spoiled_on_the_way_raises(data: bytes, chance: st.DataObject) -> None:
    spoiled = bytearray(data)
    for _ in range(chance.draw(st.integers(0, 4))):
        if spoiled:
            spoiled[chance.draw(st.integers(0, len(spoiled) - 1))] = chance.draw(st.integers(0, 255))
    read_line(bytes(spoiled))


@given(
    st.integers(0, 191),
    st.sampled_from(
        ["Jun 07 09:16:59", "Jun  7 09:16:59", "Jun 7 09:16:59", "Jun 07 2026 09:16:59", "jun/07 09:16:59"]
    ),
    st.sampled_from([(), (b"core-1",), (b"core",), (b"core-1 ether1", b"core-1")]),
)
def test_priority_and_time_are_read_in_any_length(priority: int, time: str, names: tuple[bytes, ...]) -> None:
    line = read_line(f"<{priority}>{time} core-1 ether1 link down".encode(), names=names)
    assert (line.form, line.facility, line.severity) == (Form.BSD, priority // 8, Severity(priority % 8))
    assert line.told_time == time
    assert f"{line.host} {line.text}" == "core-1 ether1 link down"


@given(st.integers(192, 999))
def test_a_number_that_is_no_priority_is_text(number: int) -> None:
    data = f"<{number}>Jun 07 09:16:59 core-1 ether1 link down"
    line = read_line(data.encode())
    assert (line.form, line.severity, line.text) == (Form.PLAIN, None, data)
