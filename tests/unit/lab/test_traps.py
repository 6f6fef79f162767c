"""SNMP traps that lab routers send."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mtd.codec.snmp import Plain, Version, dotted, read_message
from mtd.lab.clock import LabClock
from mtd.lab.personality import personality
from mtd.lab.scenario import RouterSpec, Scenario, TrapVersion
from mtd.lab.state import RouterState
from mtd.lab.traps import TrapSender
from mtd.lab.truth import RouterTruth


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(5)
        yield made


def sender(version: TrapVersion, port: int, address: str | None = None) -> tuple[TrapSender, RouterState]:
    target = f"127.0.0.1:{port}"
    spec = RouterSpec(name="r1", traps=target, trap_version=version, community="noc", address=address)
    state = RouterState(
        RouterTruth(spec, 3), personality(spec.version), LabClock(1_767_323_045_000_000), lambda _fault: None
    )
    return TrapSender(state, target), state


@pytest.mark.parametrize(
    ("version", "read_as"), [(TrapVersion.V1, Version.V1), (TrapVersion.V2C, Version.V2C)]
)
def test_traps_go_out_as_routers_write_them(
    version: TrapVersion, read_as: Version, receiver: socket.socket
) -> None:
    made, state = sender(version, receiver.getsockname()[1])
    made.started()
    made.link_changed("*1F", up=False)
    made.link_changed("*2", up=True)
    found = []
    for _ in range(3):
        message = read_message(receiver.recv(2000))
        assert isinstance(message, Plain)
        assert (message.version, message.community) == (read_as, b"noc")
        told = message.pdu.notification
        assert told.uptime is not None
        found.append((dotted(told.trap), [(dotted(one.oid), one.value) for one in told.bindings]))
    assert found == [
        ("1.3.6.1.6.3.1.1.5.1", []),
        ("1.3.6.1.6.3.1.1.5.3", [("1.3.6.1.2.1.2.2.1.1.31", 31)]),
        ("1.3.6.1.6.3.1.1.5.4", [("1.3.6.1.2.1.2.2.1.1.2", 2)]),
    ]
    assert state.stats.traps_sent == 3
    made.close()
    made.started()
    assert state.stats.traps_unsent == 1


def test_traps_come_from_the_address_of_the_router(receiver: socket.socket) -> None:
    made, _ = sender(TrapVersion.V1, receiver.getsockname()[1], "127.64.0.9")
    made.started()
    assert receiver.recvfrom(2000)[1][0] == "127.64.0.9"
    made.close()


def test_a_scenario_can_have_all_its_routers_send() -> None:
    scenario = Scenario.model_validate({"fleet": {"routers": 2}, "router": [{"name": "own"}]})
    assert {spec.traps for spec in scenario.trapping("192.0.2.1:162").routers()} == {"192.0.2.1:162"}
