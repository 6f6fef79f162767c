"""What lab routers send of their logs."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mtd.lab.clock import LabClock, to_ticks
from mtd.lab.personality import personality
from mtd.lab.scenario import Fault, FaultKind, LogForm, RouterSpec, Scenario
from mtd.lab.state import LogRow, RouterState
from mtd.lab.syslog import LogSender, link_changes, link_message
from mtd.lab.timeline import AppliedFault
from mtd.lab.truth import RouterTruth


def applied(end_s: float | None = None, **settings: float) -> AppliedFault:
    fault = Fault(kind=FaultKind.LINK_FLAP, **settings)  # type: ignore[arg-type]
    return AppliedFault(fault, 100, None if end_s is None else 100 + to_ticks(end_s), True)


def told(of: AppliedFault) -> list[tuple[int, str]]:
    return [(tick - 100, link_message(name, up=up)) for tick, name, up in link_changes(of, ["ether1"])]


def test_a_link_that_is_down_for_a_while_is_told_twice() -> None:
    down, up = told(applied(end_s=2))
    assert down == (0, "ether1 link down")
    assert up == (to_ticks(2), "ether1 link up (speed 1G, full duplex)")
    assert len(told(applied())) == 1


def test_a_link_that_flaps_is_told_each_time() -> None:
    lines = told(applied(end_s=10, every_s=4, down_s=1))
    assert [tick / to_ticks(1) for tick, _ in lines] == [0, 1, 4, 5, 8, 9]
    assert [message.split()[2] for _, message in lines] == ["down", "up"] * 3


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(5)
        yield made


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (LogForm.DEFAULT, "system,error,critical login failure for user x from 1.2.3.4 via api"),
        (LogForm.BSD, "<26>Jan  2 03:04:05 r1 login failure for user x from 1.2.3.4 via api"),
    ],
)
def test_a_line_goes_out_as_a_router_writes_it(form: LogForm, line: str, receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    spec = RouterSpec(name="r1", syslog=f"127.0.0.1:{port}", syslog_form=form)
    clock = LabClock(1_767_323_045_000_000)  # 2026-01-02 03:04:05
    state = RouterState(RouterTruth(spec, 3), personality(spec.version), clock, lambda _fault: None)
    sender = LogSender(state, f"127.0.0.1:{port}", form)
    sender.send(LogRow(1, 0, "system,error,critical", "login failure for user x from 1.2.3.4 via api"))
    assert receiver.recv(1000).decode() == line
    assert state.stats.log_lines_sent == 1
    sender.close()
    sender.send(LogRow(2, 0, "system,info", "nobody is there"))
    assert state.stats.log_lines_unsent == 1


def test_a_scenario_can_have_all_its_routers_send() -> None:
    scenario = Scenario.model_validate({"fleet": {"routers": 2}, "router": [{"name": "own"}]})
    assert {spec.syslog for spec in scenario.sending("192.0.2.1:514").routers()} == {"192.0.2.1:514"}
