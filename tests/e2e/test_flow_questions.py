"""Questions about flows that were really sent: the answers are the truth, before minutes are summed up and after."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from collections.abc import Iterator

import pytest

from mtd.client import flows
from mtd.client.flow_values import Amounts
from mtd.lab.flows import FlowGenerator, FlowPlan
from mtd.lab.flows.truth import FlowTruth
from mtd.testing.harness import free_port
from tests.e2e.kit import Rig, rig, wait_for

SCENARIO = '[[router]]\nname = "core"\naddress = "127.0.8.1"\ninterfaces = 3\n'
KEPT = 1000  # keys of a dimension


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Rig, int]]:
    port = free_port()
    settings = {
        "flows": {"enabled": True, "host": "127.0.0.1", "ports": [port], "flush_s": 0.1},
        "database.flow_sums": {"close_after_s": 0.0, "late_wait_s": 0.0, "interval_s": 0.5},
    }
    with rig(SCENARIO, settings=settings) as stage:
        stage.add_all()
        yield stage, port


def send(port: int) -> FlowTruth:
    """Send flows of a router, and return what they were."""
    now_us = time.time_ns() // 1000
    generator = FlowGenerator(FlowPlan(sampling=10), key=1, boot_us=now_us - 3_600_000_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.8.1", 0))
        for datagram in generator.take(900, now_us).datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))
    return generator.truth


def check(stage: Rig, truth: FlowTruth) -> None:
    """See that answers are the truth."""
    whole = Amounts(truth.estimated.octets, truth.estimated.packets, truth.estimated.flows)
    with stage.client() as client:
        for dimension in ("src_address", "conversation", "dst_port", "protocol", "in_interface"):
            told = truth.by(dimension)
            assert len(told) <= KEPT
            found = client.ask(flows.top(dimension, devices=["core"], limit=1000))
            assert found.total == whole
            assert {row.key: row.amounts for row in found.rows} == {
                key: Amounts(one.octets, one.packets, one.flows) for key, one in told.items()
            }
            over_time = client.ask(flows.series(dimension, limit=3))
            parts = (*over_time.series, over_time.others)
            assert sum(sum(one.octets) for one in parts) == whole.octets


def test_answers_are_the_truth(running: tuple[Rig, int]) -> None:
    stage, port = running
    truth = send(port)
    wait_for(
        lambda: stage.value("SELECT coalesce(sum(records), 0)::int8 FROM flow_block") == truth.records,
        "what was sent is stored",
        60,
    )
    check(stage, truth)
    wait_for(lambda: not stage.sql("SELECT FROM flow_due WHERE bucket_s = 60"), "it is summed up", 100)
    check(stage, truth)
    # Names of interfaces come with the polls, whose numbers are those of the flows.
    found = json.loads(stage.mtd("flows", "top", "in_interface", "-d", "core", "--json").out)
    names = {row["key"]: row["label"] for row in found["rows"]}
    assert names["1"] == "ether1"
    compared = json.loads(stage.mtd("flows", "interfaces", "-d", "core", "--json").out)
    first = next(one for one in compared["interfaces"] if one["index"] == 1)
    assert first["in_octets"] == truth.by("in_interface")["1"].octets
    assert first["rx_bytes"] > 0
    assert first["in_ratio"] == pytest.approx(first["in_octets"] / first["rx_bytes"])


def test_who_had_an_address_is_found(running: tuple[Rig, int]) -> None:
    stage, _ = running
    start, octets = stage.sql("SELECT min(first_ts), sum(octets)::int8 FROM flow_block")[0]
    with stage.client() as client:
        (best,) = client.ask(flows.top("src_address", limit=1)).rows
        seen, token = 0, ""
        while True:
            page = client.ask(
                flows.search(
                    start + dt.timedelta(hours=1),
                    address=best.key,
                    window_s=3600,
                    page_size=7,
                    page_token=token,
                )
            )
            seen += sum((one.octets or 0) for one in page.flows if one.src_address == best.key)
            token = page.next_page_token
            if not token:
                break
    assert 0 < seen <= octets
    assert seen * 10 == best.amounts.octets
