"""Flows from exporters to sums: what was sent is what is kept, to the octet, over restarts of everything between."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mtd.lab.flows import Dialect, FlowGenerator, FlowPlan
from mtd.lab.scenario import FlowForm
from mtd.testing.harness import free_port
from tests.e2e.kit import Rig, rig, wait_for

SECOND_US = 1_000_000
SCENARIO = "".join(
    f'[[router]]\nname = "{name}"\naddress = "127.0.7.{number}"\ninterfaces = 2\n'
    for number, name in enumerate(("v5", "v9", "ipfix", "sflow"), 1)
)


@dataclass
class Exporter:
    """One that sends what the test says, from the address of its device."""

    name: str
    address: str
    generator: FlowGenerator

    def send(self, flows: int, port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((self.address, 0))
            for datagram in self.generator.take(flows, time.time_ns() // 1000).datagrams:
                sender.sendto(datagram, ("127.0.0.1", port))


def exporters() -> list[Exporter]:
    boot_us = time.time_ns() // 1000 - 3_600 * SECOND_US
    plans = [
        ("v5", FlowPlan(form=FlowForm.NETFLOW5, sampling=10)),
        ("v9", FlowPlan(form=FlowForm.NETFLOW9, dialect=Dialect.ROUTEROS7, sampling=100)),
        ("ipfix", FlowPlan(form=FlowForm.IPFIX)),
        ("sflow", FlowPlan(form=FlowForm.SFLOW5, sampling=512)),
    ]
    return [
        Exporter(name, f"127.0.7.{number}", FlowGenerator(plan, key=number, boot_us=boot_us))
        for number, (name, plan) in enumerate(plans, 1)
    ]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Rig, int]]:
    port = free_port()
    settings = {"flows": {"enabled": True, "host": "127.0.0.1", "ports": [port], "flush_s": 0.2}}
    with rig(SCENARIO, settings=settings) as stage:
        stage.add_all()
        yield stage, port


def stored(stage: Rig, name: str) -> tuple[int, int, int, int, int]:
    """Records, octets and packets as told, and as estimated, in blocks."""
    ((*sums,),) = stage.sql(
        "SELECT coalesce(sum(records), 0)::int8, coalesce(sum(octets), 0)::int8, coalesce(sum(packets), 0)::int8,"
        " coalesce(sum(estimated_octets), 0)::int8, coalesce(sum(estimated_packets), 0)::int8"
        " FROM flow_block JOIN device USING (tenant_id, device_id) WHERE name = %s",
        name,
    )
    return tuple(int(one) for one in sums)  # type: ignore[return-value]


def sent(exporter: Exporter) -> tuple[int, int, int, int, int]:
    truth = exporter.generator.truth
    return (truth.records, truth.octets, truth.packets, truth.estimated.octets, truth.estimated.packets)


def summed(stage: Rig, name: str, dimension: str) -> tuple[int, int, int]:
    """Octets, packets and flows of all keys of the minutes, and of all others."""
    ((*sums,),) = stage.sql(
        "SELECT coalesce(sum(o.octets), 0)::int8, coalesce(sum(o.packets), 0)::int8, coalesce(sum(o.flows), 0)::int8"
        " FROM flow_sum_1m s JOIN device USING (tenant_id, device_id) CROSS JOIN LATERAL ("
        " SELECT u.octets, u.packets, u.flows FROM unnest(s.octets, s.packets, s.flows) AS u (octets, packets, flows)"
        " UNION ALL SELECT s.other_octets, s.other_packets, s.other_flows) AS o (octets, packets, flows)"
        " WHERE name = %s AND dimension = %s",
        name,
        dimension,
    )
    return tuple(int(one) for one in sums)  # type: ignore[return-value]


@pytest.mark.timeout(300)  # minutes have to end
def test_octets_sent_are_octets_kept_and_summed_up(running: tuple[Rig, int]) -> None:
    stage, port = running
    all_of_them = exporters()

    def all_is_stored() -> bool:
        return all(stored(stage, one.name) == sent(one) for one in all_of_them)

    for exporter in all_of_them:
        exporter.send(1500, port)
    wait_for(all_is_stored, "what was sent is stored", 60)
    # An exporter boots again in the middle of its templates: records come first, of the other version of RouterOS.
    sent_us = time.time_ns() // 1000
    wait_for(
        lambda: time.time_ns() // 1000 // SECOND_US > sent_us // SECOND_US,
        "messages are sent in another second, as by any router that boots",
    )
    now_us = time.time_ns() // 1000
    for exporter in all_of_them:
        exporter.generator.restart(now_us, withheld_s=1.0, dialect=Dialect.ROUTEROS6)
        exporter.send(300, port)
    time.sleep(1.1)  # noqa: TID251 - templates are withheld so long
    for exporter in all_of_them:
        exporter.send(700, port)
    wait_for(all_is_stored, "what came before its template is stored, too", 60)
    # mtd is started again: exporters send records, and no templates, until it is back.
    assert stage.daemon is not None
    stage.daemon.stop()
    stage.start_daemon()
    wait_for(stage.is_ready, "the daemon is ready", 60)
    for exporter in all_of_them:
        exporter.generator.withhold_templates(time.time_ns() // 1000 + 3600 * SECOND_US)
        exporter.send(500, port)
    wait_for(all_is_stored, "what was sent without templates is stored", 60)

    def all_is_summed() -> bool:
        return all(
            summed(stage, one.name, "total")
            == (
                one.generator.truth.estimated.octets,
                one.generator.truth.estimated.packets,
                one.generator.truth.records,
            )
            for one in all_of_them
        )

    wait_for(all_is_summed, "minutes are summed up", 150, 1.0)
    for exporter in all_of_them:
        truth = exporter.generator.truth
        for dimension in ("src_address", "conversation", "dst_port", "protocol"):
            told = truth.by(dimension)
            assert summed(stage, exporter.name, dimension) == (
                sum(one.octets for one in told.values()),
                sum(one.packets for one in told.values()),
                sum(one.flows for one in told.values()),
            ), (exporter.name, dimension)
    assert stage.metric("mtd_flows_lost_total") == 0
    assert stage.metric("mtd_flows_dropped_records_total") == 0
    assert stage.verify()["database"]["tables"]["flow_block"]["found"] >= len(all_of_them)
