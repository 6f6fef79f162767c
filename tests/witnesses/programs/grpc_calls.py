"""Runs in .witnesses: an integrator's program, on stubs that were generated from proto/ a moment ago.

In: {"target", "device", "routers", "metrics", "start_us", "end_us", "updates"}.
Out: the answers in the JSON of protocol buffers. Of mtd it has nothing but the .proto files.
"""

import json
import sys
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict

from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory
from mtd.pb.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry
from mtd.pb.telemetry.v1 import telemetry_service_pb2_grpc as telemetry_grpc

DEADLINE_S = 20


def first_updates(service: Any, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return messages until each device had so many updates."""
    selector = telemetry.Selector(metrics=asked["metrics"])
    stream = service.StreamLatest(telemetry.StreamLatestRequest(selector=selector), timeout=DEADLINE_S)
    messages: list[dict[str, Any]] = []
    devices: dict[int, str] = {}
    seen: dict[str, int] = {}
    for message in stream:
        messages.append(MessageToDict(message))
        layouts = [message.layout] if message.HasField("layout") else message.batch.layouts
        updates = [message.update] if message.HasField("update") else message.batch.updates
        devices.update({layout.layout: layout.device_name for layout in layouts})
        for update in updates:
            name = devices[update.layout]
            seen[name] = seen.get(name, 0) + 1
        if len(seen) == len(asked["routers"]) and min(seen.values()) >= asked["updates"]:
            break
    stream.cancel()
    return messages


def main() -> None:
    asked = json.load(sys.stdin)
    with grpc.insecure_channel(asked["target"]) as channel:
        devices = inventory_grpc.InventoryServiceStub(channel)
        service = telemetry_grpc.TelemetryServiceStub(channel)
        request = telemetry.QueryRangeRequest(
            device=asked["device"],
            metrics=asked["metrics"],
            start_us=asked["start_us"],
            end_us=asked["end_us"],
        )
        events = service.StreamEvents(telemetry.StreamEventsRequest(until_now=True), timeout=DEADLINE_S)
        answers = {
            "devices": MessageToDict(devices.ListDevices(inventory.ListDevicesRequest(), timeout=DEADLINE_S)),
            "metrics": MessageToDict(service.ListMetrics(telemetry.ListMetricsRequest(), timeout=DEADLINE_S)),
            "range": MessageToDict(service.QueryRange(request, timeout=DEADLINE_S)),
            "latest": first_updates(service, asked),
            "events": [MessageToDict(event) for event in events],
        }
    json.dump(answers, sys.stdout)


main()
