"""Lab routers that send flows: over UDP, from addresses of their own, until they stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mtd.codec.flows import Exporter
from mtd.core.errors import NotFound
from mtd.lab.control import LabControl
from mtd.lab.scenario import FlowForm, Scenario
from mtd.lab.service import Lab
from mtd.testing import run_async

PATIENCE_S = 10.0


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


class Collector:
    """Reads what comes, by the address that it comes from."""

    def __init__(self, receiver: socket.socket) -> None:
        self.exporters: dict[str, Exporter] = {}
        self.records: dict[str, int] = {}
        self._receiver = receiver

    def read(self) -> None:
        while True:
            try:
                data, (address, _) = self._receiver.recvfrom(65_536)
            except BlockingIOError:
                return
            exporter = self.exporters.setdefault(address, Exporter())
            exporter.feed(data, 1)
            flows = exporter.take()
            self.records[address] = self.records.get(address, 0) + sum(one.count for one in flows)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.read()
                await asyncio.sleep(0.02)
        self.read()


def scenario(receiver: socket.socket, routers: int = 1, **settings: Any) -> Scenario:
    made = Scenario.model_validate(
        {"own_addresses": True, "fleet": {"routers": routers, "interfaces": 6, **settings}}
    )
    return made.exporting(f"127.0.0.1:{receiver.getsockname()[1]}", FlowForm.IPFIX, 3000)


def test_routers_send_what_they_say_from_their_own_addresses(receiver: socket.socket) -> None:
    collector = Collector(receiver)

    async def body() -> None:
        lab = Lab(scenario(receiver, routers=2))
        endpoints = await lab.start()
        try:
            assert [one.host for one in endpoints] == ["127.64.0.1", "127.64.0.2"]
            await collector.until(lambda: min(collector.records.values(), default=0) > 500)
            for endpoint in endpoints:
                sender = lab.router(endpoint.name).flow_sender
                assert sender is not None
                sender.stop()
            collector.read()
            truths = {one.host: lab.flows(one.name) for one in endpoints}
            assert collector.records == {host: truth["records"] for host, truth in truths.items()}
            assert collector.records.keys() == {"127.64.0.1", "127.64.0.2"}
            sent = [stats["flow_datagrams_sent"] for stats in lab.stats().values()]
            assert sent == [truth["datagrams"] for truth in truths.values()]
            by_port = lab.flows("lab-0001", "dst_port")["keys"]
            assert sum(flows for _, _, flows in by_port.values()) == truths["127.64.0.1"]["records"]
        finally:
            await lab.stop()

    run_async(body())


def test_a_reboot_stops_flows_for_a_while_and_begins_them_anew(receiver: socket.socket) -> None:
    collector = Collector(receiver)

    async def body() -> None:
        lab = Lab(scenario(receiver))
        (endpoint,) = await lab.start()
        try:
            await collector.until(lambda: collector.records.get(endpoint.host, 0) > 0)
            sender = lab.router(endpoint.name).flow_sender
            assert sender is not None
            lab.inject(endpoint.name, "templates-withheld", for_s=60)
            lab.inject(endpoint.name, "reboot", boot_s=0.3)
            collector.read()
            before = dict(collector.records)
            exporter = collector.exporters[endpoint.host] = Exporter()  # one that knows no templates
            await collector.until(lambda: exporter.counts.held > 0)
            assert collector.records == before
            assert lab.clear(endpoint.name, "templates-withheld") == 1
            await collector.until(lambda: collector.records != before)
            sender.stop()
            collector.read()
            assert exporter.lost() == 0
            assert collector.records[endpoint.host] == lab.flows(endpoint.name)["records"]
        finally:
            await lab.stop()

    run_async(body())


def test_the_control_door_tells_the_truth_about_flows(receiver: socket.socket) -> None:
    collector = Collector(receiver)

    async def body() -> dict[str, Any]:
        lab = Lab(scenario(receiver))
        await lab.start()
        try:
            await collector.until(lambda: bool(collector.records))
            return await asyncio.to_thread(ask, lab)
        finally:
            await lab.stop()

    def ask(lab: Lab) -> dict[str, Any]:
        with LabControl(lab.host, lab.control_port) as control:
            return control.flows("lab-0001", "protocol")

    told = run_async(body())
    assert told["keys"].keys() <= {"1", "6", "17", "58"}
    assert sum(flows for _, _, flows in told["keys"].values()) == told["records"] > 0


def test_who_sends_none_has_no_truth_about_them() -> None:
    lab = Lab()

    async def body() -> None:
        await lab.start()
        try:
            with pytest.raises(NotFound, match="sends no flows"):
                lab.flows("lab-0001")
        finally:
            await lab.stop()

    run_async(body())
