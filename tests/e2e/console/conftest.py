"""One lab, one daemon and one browser for all tests of the console; a page for each of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest

from mtd.lab.flows import FlowGenerator, FlowPlan, FlowTruth, Generated
from mtd.lab.scenario import FlowForm
from mtd.testing.browser import MISSING, find_chromium
from mtd.testing.harness import free_port
from mtd.testing.missing import skip_without
from mtd.testing.postgres import postgres_dsn, postgres_server
from tests.e2e.console.desk import BrowserThread, Desk, desk_of
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

__all__ = ["postgres_dsn", "postgres_server"]

SCENARIO = """
[[router]]
name = "old-6"
version = "6.49.10"
interfaces = 8
pppoe = 3

[[router]]
name = "new-7"
version = "7.16.2"
interfaces = 8
address = "127.0.8.7"

[[router]]
name = "flapping"
interfaces = 4

[[router]]
name = "doomed"
interfaces = 2

[[router]]
name = "locked"
[[router.fault]]
kind = "login-refused"

[[router]]
name = "silent"
[[router.fault]]
kind = "black-hole"

[[router]]
name = "half-blind"
[[router.fault]]
kind = "denied"
"""
HEALTHY = ("old-6", "new-7", "flapping", "doomed")
OFTEN = "flapping"
"""Polled four times a second: who watches it isn't told that often."""
SPARES = 1000
"""Devices that are in the inventory, but not polled: to have a long list."""
EXPORTER = "127.0.8.7"
"""Address of new-7, which tells of flows."""
FLOWS = 1500


@dataclass(frozen=True, slots=True)
class Exported:
    """Flows that a router told of, and when."""

    made: Generated
    truth: FlowTruth
    at_us: int


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that use a page in the thread of the browser; those that have a daemon in this process in their own."""
    names = pyfuncitem._fixtureinfo.argnames
    if "postgres_dsn" in names:
        return None
    thread = pyfuncitem.funcargs.get("browser") or pyfuncitem._request.getfixturevalue("browser")
    thread.run(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture(scope="package")
def browser() -> Iterator[BrowserThread]:
    if find_chromium() is None:
        skip_without(MISSING)
    if not (files("mtd.api.console") / "dist" / "index.html").is_file():
        skip_without("the console is not built: run scripts/build_console")
    thread = BrowserThread()
    yield thread
    thread.stop()


@pytest.fixture(scope="package")
def running(browser: BrowserThread) -> Iterator[Rig]:
    # Looked at before there was any device, and left open: what comes must appear there.
    port, flow_port = free_port(), free_port()
    syslog = {"enabled": True, "host": "127.0.0.1", "udp_port": port, "flush_s": 0.1}
    flows = {"enabled": True, "host": "127.0.0.1", "ports": [flow_port], "flush_s": 0.2}
    settings = {**QUICK_TIERS, "syslog": syslog, "flows": flows}
    started = rig(SCENARIO, "--syslog", f"127.0.0.1:{port}", settings=settings)
    with started as stage, desk_of(browser, stage) as first:
        stage.notes["first"] = first
        browser.run(first.open, ready="[data-testid=welcome]")
        stage.notes["empty"] = browser.run(first.page.inner_text, "body")
        stage.notes["flow_port"] = flow_port
        fill(stage)
        stage.notes["flows"] = export_flows(stage)
        yield stage


def fill(stage: Rig) -> None:
    quick: dict[str, Any] = {"connect_timeout_s": 1.0, "command_timeout_s": 2.0}
    for name, router in stage.routers.items():
        often = {"intervals_s": {"t0": 0.25}} if name == OFTEN else {}
        stage.add_devices(
            [router], lambda _, name=name: {"role": name.rpartition("-")[0] or "edge"}, **quick, **often
        )
    # By one statement: the daemon follows the inventory, whoever changes it.
    stage.sql(
        "INSERT INTO device (tenant_id, name, host, port, username, tls_mode, enabled)"
        " SELECT tenant_id, 'spare-' || to_char(number, 'FM0000'), '192.0.2.1', 8728, 'mtd', 'off', false"
        " FROM tenant, generate_series(0, %s) AS number WHERE tenant.name = 'default'",
        SPARES - 1,
    )
    stage.wait_until_polled(*HEALTHY)
    stage.notes["ids"] = {device["name"]: device["id"] for device in stage.devices().values()}


def export_flows(stage: Rig) -> Exported:
    """Have a router tell of flows, and wait until all of them are stored; return what they truly were."""
    now_us = time.time_ns() // 1000
    plan = FlowPlan(form=FlowForm.IPFIX, interfaces=(1, 2, 3, 4))
    generator = FlowGenerator(plan, key=7, boot_us=now_us - 3_600_000_000)
    made = generator.take(FLOWS, now_us)
    send_flows(stage, EXPORTER, *made.datagrams)

    def stored() -> bool:
        return bool(stage.value("SELECT coalesce(sum(records), 0)::int8 FROM flow_block") == FLOWS)

    wait_for(stored, "the flows are stored", 60)
    return Exported(made, generator.truth, now_us)


def send_flows(stage: Rig, source: str, *datagrams: bytes) -> None:
    """Send datagrams to the port for flows, from an address of the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", stage.notes["flow_port"]))


@pytest.fixture
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How the browser looks at pages; a test may parametrize it."""
    return getattr(request, "param", {})


@pytest.fixture
def desk(browser: BrowserThread, running: Rig, look: dict[str, Any]) -> Iterator[Desk]:
    with desk_of(browser, running, **look) as made:
        made.ids = running.notes["ids"]
        yield made
