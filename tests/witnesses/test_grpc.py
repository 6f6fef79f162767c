"""What others speak gRPC with, reads the same values as mtd's own client and as PostgreSQL holds.

``buf curl`` asks by reflection and by the schema of proto/, and plain grpcio asks with stubs generated a
moment ago, in an environment where mtd isn't installed. All answer in the JSON of protocol buffers.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.kit import wait_for
from tests.witnesses.agreement import Agreement
from tests.witnesses.grpc_json import INVENTORY, TELEMETRY, Buf, Json, parts, samples_of
from tests.witnesses.kit import HERE, INTERFACES, PYTHON, ROOT, ROUTERS, Watched, require, run_program

WAYS = ("buf by reflection", "buf by schema", "grpcio")

DEVICE = "six"
COUNTERS = ["iface.*.rx_bytes_total", "iface.*.tx_bytes_total"]
RATES = ["iface.*.rx_bps"]
GAUGES = ["system.cpu.load_pct", "system.memory.free_bytes", "system.uptime_seconds"]
METRICS = [*COUNTERS, *RATES, *GAUGES]
SPAN_US = 3_000_000
UPDATES = 2


def ask_buf(buf: Buf, question: Json) -> Json:
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}

    def enough(message: Json) -> bool:
        layouts, updates = parts(message)
        names.update({layout["layout"]: layout["deviceName"] for layout in layouts})
        seen.update(names[update["layout"]] for update in updates)
        return len(seen) == len(ROUTERS) and min(seen.values()) >= UPDATES

    (devices,) = buf.call(INVENTORY, "ListDevices", {})
    (metrics,) = buf.call(TELEMETRY, "ListMetrics", {})
    span = {"startUs": str(question["start_us"]), "endUs": str(question["end_us"])}
    (found,) = buf.call(TELEMETRY, "QueryRange", {"device": DEVICE, "metrics": METRICS, **span})
    return {
        "devices": devices,
        "metrics": metrics,
        "range": found,
        "latest": buf.stream("StreamLatest", {"selector": {"metrics": METRICS}}, enough),
        "events": buf.call(TELEMETRY, "StreamEvents", {"untilNow": True}),
    }


def ask_stubs(question: Json, folder: Path) -> Json:
    """Generate stubs into a folder, as an integrator does, and run a program that has nothing else of mtd."""
    require(PYTHON, "grpcio")
    protos = [str(path) for path in (ROOT / "proto").rglob("*.proto")]
    subprocess.run(
        [
            str(PYTHON),
            "-m",
            "grpc_tools.protoc",
            "-I",
            str(ROOT / "proto"),
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            *protos,
        ],
        check=True,
        timeout=60,
        cwd=folder,
    )
    answer: Json = run_program(
        PYTHON,
        HERE / "programs" / "grpc_calls.py",
        ask={**question, "routers": ROUTERS, "device": DEVICE, "metrics": METRICS, "updates": UPDATES},
        environment={"PYTHONPATH": str(folder)},
    )
    return answer


@pytest.fixture(scope="module", params=WAYS)
def answers(request: pytest.FixtureRequest, stage: Watched, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Return what a witness was answered to the same questions, and the questions."""
    end_us = time.time_ns() // 1000
    # Polls of a device are stored in order: what came before is there, once a later one is.
    wait_for(
        lambda: stage.value(
            "SELECT min(ts_collected) > from_us(%s) FROM latest WHERE poll_group = 't0'", end_us
        ),
        "polls behind the range are stored",
        timeout_s=20,
    )
    question: Json = {"target": stage.server, "start_us": end_us - SPAN_US, "end_us": end_us}
    match request.param:
        case "grpcio":
            found = ask_stubs(question, tmp_path_factory.mktemp("stubs"))
        case "buf by schema":
            buf = Buf(stage.server, "--reflect=false", "--schema", str(ROOT / "proto"))
            found = ask_buf(buf, question)
        case _:
            found = ask_buf(Buf(stage.server), question)
    return found | question


def test_devices(stage: Watched, answers: Json) -> None:
    with stage.client() as client:
        ours = {device.id: device for device in client.list_devices()}
    agreement = Agreement()
    for device in answers["devices"]["devices"]:
        mine, settings = ours[device["id"]], device["settings"]
        for key, value in (
            ("name", mine.name),
            ("host", mine.host),
            ("port", mine.port),
            ("username", mine.username),
        ):
            agreement.same("settings", key, settings[key], value)
        agreement.same("settings", "TLS", settings["tlsMode"], f"TLS_MODE_{mine.tls_mode.upper()}")
        for key, text in (
            ("routerosVersion", mine.routeros_version),
            ("boardName", mine.board_name),
            ("identity", mine.identity),
        ):
            agreement.same("facts", key, device[key], text)
        agreement.same("facts", "status", device["status"], f"DEVICE_STATUS_{mine.status.upper()}")
        agreement.same("facts", "capabilities", device["capabilities"], dict(mine.capabilities))
        assert "password" not in json.dumps(device), "secrets stay with the daemon"
    agreement.conclude(settings=5 * len(ROUTERS), facts=5 * len(ROUTERS))


def test_catalogue(stage: Watched, answers: Json) -> None:
    with stage.client() as client:
        ours = client.list_metrics()
    theirs = answers["metrics"]
    assert theirs["catalogueVersion"] == ours.version
    assert len(ours.metrics) > 40
    described = {
        metric["key"]: (metric.get("unit", ""), metric["description"]) for metric in theirs["metrics"]
    }
    assert described == {metric.key: (metric.unit, metric.description) for metric in ours.metrics}


def test_ranges(stage: Watched, answers: Json) -> None:
    start_us, end_us = answers["start_us"], answers["end_us"]
    stored: dict[str, dict[int, float | int]] = {}
    for key, time_us, value in stage.sql(
        "SELECT key, to_us(ts), coalesce(value_int::text, value::text) FROM telemetry"
        " WHERE device = %s AND ts >= from_us(%s) AND ts < from_us(%s) AND value IS NOT NULL",
        DEVICE,
        start_us,
        end_us,
    ):
        stored.setdefault(key, {})[time_us] = float(value) if "." in value or "e" in value else int(value)
    with stage.client() as client:
        own = {
            series.key: series
            for series in client.query_range(DEVICE, METRICS, start=start_us, end=end_us).series
        }
    agreement = Agreement()
    series = answers["range"]["series"]
    for found in series:
        key, lane = found["info"]["key"], found["info"]["series"]["lane"]
        times = list(map(int, found["timesUs"]))
        values = list(map(int, found["counters"])) if lane == "LANE_COUNTER" else found["values"]
        agreement.same(
            "series", f"{key} of the client", (times, values), (own[key].times_us, own[key].values)
        )
        agreement.same(
            "series", key, rounded(lane, times, values), rounded(lane, stored[key], stored[key].values())
        )
    assert len(series) == 3 * INTERFACES + len(GAUGES) == len(own)
    agreement.conclude(series=2 * len(series))


def rounded(lane: str, times: Any, values: Any) -> dict[int, Any]:
    """Return values by time; rates are stored in 32 bits."""
    convert = np.float32 if lane == "LANE_RATE" else lambda value: value
    return dict(sorted(zip(times, map(convert, values), strict=True)))


def test_live_values(stage: Watched, answers: Json) -> None:
    samples = list(samples_of(answers["latest"]))
    newest = max(time_us for _, _, time_us, _ in samples)
    wait_for(
        lambda: stage.value(
            "SELECT min(ts_collected) >= from_us(%s) FROM latest WHERE poll_group = 't0'", newest
        ),
        "what was streamed is stored",
        timeout_s=20,
    )
    stored = {
        (device, key, time_us): (exact, value)
        for device, key, time_us, exact, value in stage.sql(
            "SELECT device, key, to_us(ts), value_int, value FROM telemetry"
            " WHERE ts >= from_us(%s) AND metric = ANY (%s) AND value IS NOT NULL",
            min(time_us for _, _, time_us, _ in samples),
            [metric.replace(".*", "") for metric in METRICS],
        )
    }
    agreement = Agreement()
    for device, key, time_us, value in samples:
        exact, ours = stored[device, key, time_us]
        if key.endswith("_bps"):
            agreement.same("values", f"{device} {key}", np.float32(value), np.float32(ours))
        else:
            agreement.same("values", f"{device} {key}", value, ours if exact is None else exact)
    polls = {(device, time_us) for device, _, time_us, _ in samples}
    assert {device for device, _ in polls} == set(ROUTERS)
    wanted = sum((device, time_us) in polls for device, _, time_us in stored)
    assert wanted >= (2 * INTERFACES + len(GAUGES)) * len(polls), "all but a rate here and there"
    agreement.conclude(values=wanted)


def test_events(stage: Watched, answers: Json) -> None:
    with stage.client() as client:
        ours = {event.position: event for event in client.events(until_now=True)}
    theirs = [message["event"] for message in answers["events"]]
    assert len(theirs) >= len(ROUTERS), "each device came up"
    assert [int(event["position"]) for event in theirs] == sorted(ours)[: len(theirs)]
    for event in theirs:
        mine = ours[int(event["position"])]
        assert (event["deviceName"], event["eventType"], event.get("newValue", ""), event["message"]) == (
            mine.device_name,
            mine.event_type,
            mine.new_value,
            mine.message,
        )
