"""A daemon that tells of itself: traces, the lines of its log, its metrics, and a dump."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from mtd.testing.otlp import Receiver, Taken, receiver
from scripts import process_docs
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "core"
version = "7.16.2"
interfaces = 4
"""
GONE = "gone"
COLLECTOR = "pop-1"
CHAIN = ("poll", "record", "append", "project", "publish")


@dataclass
class Watched:
    """A daemon, and where its traces go."""

    stage: Rig
    traces: Receiver

    def lines(self) -> list[dict[str, Any]]:
        """Return what the daemon wrote, each line parsed."""
        return [json.loads(line) for line in self.stage.daemon_log().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Return a daemon that traces all it does, one router, and one that isn't there."""
    headers = tmp_path_factory.mktemp("secrets") / "headers"
    headers.write_text("authorization: Bearer of-the-traces\n")
    with receiver() as taking:
        settings = {
            **QUICK_TIERS,
            "daemon": {"collector_id": COLLECTOR},
            "log": {"format": "json"},
            "tracing": {
                "enabled": True,
                "endpoint": taking.address,
                "sample_ratio": 1.0,
                "interval_s": 0.2,
                "headers_file": str(headers),
            },
        }
        with rig(SCENARIO, settings=settings) as stage:
            stage.add_all()
            stage.add_devices([{**stage.routers["core"], "name": GONE, "port": 1}])
            yield Watched(stage, taking)


def chain(spans: list[Taken]) -> list[Taken]:
    """Return the steps of a poll, each the child of the one before; empty if they aren't all there."""
    found: list[Taken] = []
    for name in CHAIN:
        parent = found[-1].span if found else ""
        step = next((span for span in spans if (span.name, span.parent) == (name, parent)), None)
        if step is None:
            return []
        found.append(step)
    return found


def test_a_poll_is_traced_through_the_log_to_those_who_watch(watched: Watched) -> None:
    """One trace has all the steps, each below the one before."""

    def of_a_live_poll() -> list[Taken]:
        chains = [chain(trace) for trace in watched.traces.traces().values()]
        return next((one for one in chains if one and one[0].attributes["mtd.tier"] == "t0"), [])

    steps = wait_for(of_a_live_poll, "a whole trace of a live poll", timeout_s=20)
    poll, record, append, project, publish = steps
    assert poll.attributes["mtd.device"] == "core"
    assert poll.attributes["mtd.tenant_id"]
    assert append.attributes["mtd.events"] > 0  # type: ignore[operator]
    assert project.attributes["mtd.seq"] > 0  # type: ignore[operator]
    assert {span.resource["service.instance.id"] for span in steps} == {COLLECTOR}
    assert not any(span.failed for span in steps)
    # By the clock of one machine: recorded before the poll ends, and shown when it is committed.
    assert poll.start_ns <= record.start_ns <= record.end_ns <= poll.end_ns
    assert record.end_ns <= append.start_ns <= append.end_ns <= project.end_ns <= publish.start_ns
    (ask,) = [span for span in watched.traces.traces()[poll.trace] if span.name == "ask"]
    assert ask.parent == poll.span


def test_what_is_sent_carries_the_headers(watched: Watched) -> None:
    wait_for(lambda: watched.traces.metadata, "something sent")
    assert watched.traces.metadata[0]["authorization"] == "Bearer of-the-traces"
    assert "of-the-traces" not in watched.stage.daemon_log()


def test_a_call_continues_the_trace_of_its_caller(watched: Watched) -> None:
    """Its transactions are steps of it, and the lines of the log have its id and the request's."""
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with grpc.insecure_channel(watched.stage.server) as channel:
        InventoryServiceStub(channel).ListDevices(
            pb.ListDevicesRequest(),
            metadata=[("traceparent", f"00-{trace}-{parent}-01"), ("x-request-id", "ticket-4711")],
            timeout=10,
        )

    def both() -> list[Taken]:
        found = watched.traces.traces().get(trace, [])
        return found if len({span.name for span in found}) > 1 else []

    spans = wait_for(both, "the caller's trace")
    (call,) = [span for span in spans if span.name.endswith("/ListDevices")]
    assert call.parent == parent
    assert call.attributes["rpc.grpc.status_code"] == "OK"
    assert {span.parent for span in spans if span.name == "transaction"} == {call.span}
    (line,) = wait_for(
        lambda: [line for line in watched.lines() if line.get("request_id") == "ticket-4711"], "its line"
    )
    assert line["trace_id"] == trace
    assert line["method"].endswith("/ListDevices")
    assert line["tenant"]
    assert line["code"] == "OK"


def test_lines_about_a_router_that_fails_say_which_and_whose(watched: Watched) -> None:
    """Without the code that writes them naming it."""
    stage = watched.stage
    lines = wait_for(
        lambda: [line for line in watched.lines() if "can't be polled" in line["message"]], "a line about it"
    )
    ((device_id, tenant_id),) = stage.sql(
        "SELECT device_id::text, tenant_id::text FROM device WHERE name = %s", GONE
    )
    for line in lines:
        assert (line["device"], line["device_id"], line["tenant"]) == (GONE, device_id, tenant_id)
        assert line["collector"] == COLLECTOR
        assert line["logger"] == "mtd.scheduler.device_loop"


def test_lines_about_anything_else_name_no_router(watched: Watched) -> None:
    others = [
        line for line in watched.lines() if not line["logger"].startswith(("mtd.scheduler", "mtd.sources"))
    ]
    assert others
    assert not [line for line in others if "device" in line or "device_id" in line]
    assert {line["collector"] for line in others} == {COLLECTOR}


def scraped(watched: Watched, accept: str) -> tuple[str, str]:
    """Return type and text of ``/metrics`` as a scraper that accepts this gets it."""
    url = f"http://127.0.0.1:{watched.stage.http_port}/metrics"
    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"accept": accept}), timeout=20
    ) as answer:
        return answer.headers["content-type"], answer.read().decode()


# Metrics of what this daemon doesn't load, as its role and its settings are: they are in the reference all the same.
ELSEWHERE = ("mtd.app.edge", "mtd.eventlog.jetstream", "mtd.forwarding", "mtd.link")


def test_what_is_served_is_openmetrics_and_what_the_reference_says(watched: Watched) -> None:
    """Each metric that a running daemon serves is in the reference, and the other way round; as strict parsers want it."""
    wait_for(lambda: "mtd_projections_lag_events{" in scraped(watched, "")[1], "projections measured")
    kind, text = scraped(watched, "application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    served = {
        name + ("_total" if family.type == "counter" else ""): (
            family.type,
            family.unit,
            family.documentation,
        )
        for name, family in families.items()
    }
    ours = {name: told for name, told in served.items() if name.startswith(process_docs.PREFIX)}
    described = {one.name: one for one in process_docs.catalogue()}
    assert ours == {
        name: (described[name].kind, described[name].unit, described[name].meaning) for name in ours
    }
    missing = {name for name in described.keys() - ours if not described[name].module.startswith(ELSEWHERE)}
    assert not missing
    assert served.keys() - ours.keys() <= process_docs.OF_THE_RUNTIME.keys()
    for name in ours:
        labels = {
            label for sample in families[name.removesuffix("_total")].samples for label in sample.labels
        }
        assert labels <= {*described[name].labels, "le"}, name
    kind, text = scraped(watched, "text/plain")
    assert kind.startswith("text/plain; version=0.0.4")
    assert "# TYPE mtd_scheduler_polls_total counter" in text


def test_a_dump_of_a_daemon_tells_of_its_queues_and_of_no_secret(watched: Watched) -> None:
    stage = watched.stage
    os.kill(stage.pid, signal.SIGUSR1)
    line = wait_for(
        lambda: next((line for line in watched.lines() if "a dump is in" in line["message"]), None),
        "a dump",
        20,
    )
    text = Path(line["path"]).read_text()
    dump = json.loads(text)
    depths = {queue["name"]: queue for queue in dump["queues"] if queue["instances"]}
    assert {
        "ingest.buffer",
        "eventlog.commits",
        "projections.read_ahead",
        "storage.connections",
    } <= depths.keys()
    assert all(0 <= queue["depth"] <= queue["limit"] for queue in depths.values())
    assert {gate["name"] for gate in dump["gates"]} >= {"connect", "reconnect"}
    stacks = [" ".join(group["stack"]) for group in dump["tasks"]["groups"]]
    assert any("DeviceLoop" in stack for stack in stacks)
    assert dump["mtd"]["role"] == "all"
    secrets = [stage.routers["core"]["password"], "of-the-traces", stage.dsn()]
    assert not [secret for secret in secrets if secret in text]


def test_no_span_was_lost_on_its_way(watched: Watched) -> None:
    """Last in this module: all that the tests before made was sent."""
    _, text = scraped(watched, "text/plain")
    counts = dict(re.findall(r'^mtd_tracing_spans_total\{outcome="(\w+)"\} (\S+)', text, re.MULTILINE))
    assert float(counts.pop("exported")) > 0
    assert not counts
    assert 'mtd_core_queue_limit{queue="tracing.spans"} 4096.0' in text
