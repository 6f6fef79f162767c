"""napalm-ros, the driver for NAPALM, reads the routers that mtd polls: its getters agree with mtd."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from mtd.lab.truth import RouterTruth
from tests.witnesses.agreement import Agreement, compare_counters, compare_gauge
from tests.witnesses.kit import HERE, INTERFACES, PYTHON, ROUTERS, SESSIONS, Watched, require, run_program
from tests.witnesses.polls import Moment

GETTERS = (
    "get_facts",
    "get_interfaces",
    "get_interfaces_counters",
    "get_environment",
    "get_interfaces_ip",
    "get_arp_table",
    "get_lldp_neighbors",
)
COUNTERS = {
    "rx_octets": "rx-byte",
    "tx_octets": "tx-byte",
    "rx_unicast_packets": "rx-packet",
    "tx_unicast_packets": "tx-packet",
    "rx_errors": "rx-error",
    "tx_errors": "tx-error",
    "rx_discards": "rx-drop",
    "tx_discards": "tx-drop",
}


@pytest.fixture(scope="module")
def answers(stage: Watched) -> dict[str, Any]:
    require(PYTHON, "napalm-ros")
    ask = {"routers": [stage.connection(router) for router in ROUTERS], "getters": GETTERS}
    found: dict[str, Any] = run_program(PYTHON, HERE / "programs" / "napalm_getters.py", ask=ask)
    return found


def answer_of(answers: dict[str, Any], router: str, getter: str) -> tuple[Any, Moment]:
    found = answers[router][getter]
    return found["answer"], Moment(found["start_us"], found["end_us"])


@pytest.mark.parametrize("router", ROUTERS)
def test_facts(stage: Watched, answers: dict[str, Any], router: str) -> None:
    facts, moment = answer_of(answers, router, "get_facts")
    agreement = Agreement()
    with stage.client() as client:
        device = client.get_device(router)
    resource = stage.snapshot(router, "system.resource")
    agreement.same("facts", "vendor", facts["vendor"], resource["platform"])
    agreement.same("facts", "model", facts["model"], device.board_name)
    agreement.same("facts", "name", facts["hostname"], device.identity)
    agreement.same("facts", "version", facts["os_version"], resource["version"])
    # librouteros makes a number of a text of digits.
    names = set(stage.interfaces(router)) | {
        item.name for item in stage.truth(router).interfaces(0) if item.dynamic
    }
    serial_number = stage.snapshot(router, "system.routerboard")["serial-number"]
    agreement.same("facts", "serial number", str(facts["serial_number"]), serial_number)
    agreement.same("facts", "interfaces", set(facts["interface_list"]), names)
    compare_gauge(
        agreement,
        stage,
        (router, "system.uptime_seconds"),
        (facts["uptime"], moment),
        lambda when: {resource.uptime_s for resource in stage.resources(router, when)},
    )
    assert len(facts["interface_list"]) == INTERFACES + (SESSIONS if router == "six" else 0)
    agreement.conclude(facts=6, gauges=2)


@pytest.mark.parametrize("router", ROUTERS)
def test_interfaces(stage: Watched, answers: dict[str, Any], router: str) -> None:
    found, moment = answer_of(answers, router, "get_interfaces")
    polls, agreement = stage.around(router, moment), Agreement()
    assert len(found) == INTERFACES + (SESSIONS if router == "six" else 0)
    for name, fields in stage.interfaces(router).items():
        theirs = found[name]
        agreement.same("texts", f"{name} MAC", theirs["mac_address"], fields["mac-address"])
        # It has no setting for the character set, and leaves out what isn't ASCII.
        comment = fields.get("comment", "").encode("ascii", "ignore").decode()
        agreement.same("texts", f"{name} comment", theirs["description"], comment)
        agreement.same("numbers", f"{name} MTU", theirs["mtu"], int(fields["actual-mtu"]))
        agreement.same("states", f"{name} up", theirs["is_up"], polls.before(f"iface.{name}.oper_state") == 1)
        enabled = polls.before(f"iface.{name}.admin_state") == 1
        agreement.same("states", f"{name} enabled", theirs["is_enabled"], enabled)
    agreement.conclude(texts=2 * INTERFACES, numbers=INTERFACES, states=2 * INTERFACES)


@pytest.mark.parametrize("router", ROUTERS)
def test_counters(stage: Watched, answers: dict[str, Any], router: str) -> None:
    found, moment = answer_of(answers, router, "get_interfaces_counters")
    counters = {name: {prop: row[key] for key, prop in COUNTERS.items()} for name, row in found.items()}
    agreement = Agreement()
    compare_counters(agreement, stage, router, moment, counters, list(COUNTERS.values()))
    agreement.conclude(counters=INTERFACES * len(COUNTERS), instants=1)


@pytest.mark.parametrize("router", ROUTERS)
def test_environment(stage: Watched, answers: dict[str, Any], router: str) -> None:
    found, moment = answer_of(answers, router, "get_environment")
    truth, agreement = stage.truth(router), Agreement()
    polls = stage.around(router, moment)
    total = polls.before("system.memory.total_bytes")
    agreement.same("static", "memory", found["memory"]["available_ram"], total)
    compare_gauge(
        agreement,
        stage,
        (router, "system.memory.free_bytes"),
        (total - found["memory"]["used_ram"], moment),
        lambda when: {resource.free_memory_bytes for resource in stage.resources(router, when)},
    )
    cores = {key.split(".")[2] for key in polls.series if key.startswith("system.core.")}
    agreement.same("static", "cores", set(found["cpu"]), cores)
    assert len(cores) == truth.board.cpu_count
    # Sensors of RouterOS 6 have another shape, which this driver leaves out.
    sensors = {"temperature": "celsius", "cpu": "cpu_celsius"} if truth.version >= (7,) else {}
    agreement.same("static", "thermometers", set(found["temperature"]), set(sensors))
    for name, attribute in sensors.items():
        series = name if name == "temperature" else f"{name}-temperature"
        compare_gauge(
            agreement,
            stage,
            (router, f"system.health.{series}.temperature_celsius"),
            (found["temperature"][name]["temperature"], moment),
            lambda when, attribute=attribute: {
                getattr(sensor, attribute) for sensor in stage.sensors(router, when)
            },
        )
    if sensors:
        for supply in ("psu1", "psu2"):
            ours = polls.before(f"system.health.{supply}-state.state") == 1
            agreement.same("static", supply, found["power"][supply]["status"], ours)
    agreement.conclude(static=5 if sensors else 3, gauges=2 + 2 * len(sensors))


def routed(truth: RouterTruth) -> dict[str, tuple[str, str, bool]]:
    """Return name -> first three octets, MAC address and whether it is on, of interfaces with an address."""
    found = {}
    for item in truth.all_interfaces:
        if item.type in ("vlan", "bridge") or item.index == 0:
            found[item.name] = (
                f"10.{item.index // 250}.{item.index % 250}",
                item.mac_address,
                not item.disabled,
            )
    return found


@pytest.mark.parametrize("router", ROUTERS)
def test_addresses(stage: Watched, answers: dict[str, Any], router: str) -> None:
    """Addresses and neighbours are no category of mtd's yet: these are compared with the truth."""
    found, _ = answer_of(answers, router, "get_interfaces_ip")
    networks = routed(stage.truth(router))
    assert len(networks) == INTERFACES - 18, "bridge and VLANs, and the first port"
    agreement = Agreement()
    for name, (net, mac_address, on) in networks.items():
        agreement.same("ipv4", name, found[name]["ipv4"], {f"{net}.1": {"prefix_length": 24}})
        if on and stage.truth(router).version >= (7,):
            (link_local,) = found[name]["ipv6"]
            ours = ipaddress.IPv6Address(link_local).packed[-8:]
            agreement.same("ipv6", name, ours[5:], bytes.fromhex(mac_address.replace(":", ""))[3:])
    assert set(found) == set(networks)
    switched_on = sum(on for _, _, on in networks.values())
    extra = {"ipv6": switched_on} if stage.truth(router).version >= (7,) else {}
    agreement.conclude(ipv4=len(networks), **extra)


@pytest.mark.parametrize("router", ROUTERS)
def test_neighbours(stage: Watched, answers: dict[str, Any], router: str) -> None:
    arp, _ = answer_of(answers, router, "get_arp_table")
    networks = routed(stage.truth(router))
    assert {(row["interface"], row["ip"]) for row in arp} == {
        (name, f"{net}.2") for name, (net, _, on) in networks.items() if on
    }
    lldp, _ = answer_of(answers, router, "get_lldp_neighbors")
    assert lldp == {
        f"sfp-sfpplus{number}": [{"hostname": f"sw-{number}", "port": "ether1"}] for number in (1, 2)
    }
