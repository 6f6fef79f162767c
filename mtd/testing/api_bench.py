"""``scripts/bench api``: the gRPC door: how soon it answers, and what its streams cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import numpy as np

from mtd.client import MtdClient
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.events import Origin, frame_event, layout_event
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import FrameValues
from mtd.pb.ingest.v1 import ingest_service_pb2 as ingest
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry
from mtd.testing.end_to_end import Plan, accounts, wait_for_first_polls, wait_until_live
from mtd.testing.harness import HarnessFailed, Stage

_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))
# gRPC shares connections between channels of the same arguments: each of these is to have its own.
_OWN = (*_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
_WARM_UP_CALLS = 50
_LOG_ID = "00000000-0000-4000-8000-00000000be9c"
_BATCHES, _FRAMES_PER_BATCH, _SERIES = 100, 200, 120
_CONNECTIONS = 20
_OPENING_S = 5.0

INVENTORY = "/mtd.pb.inventory.v1.InventoryService/"
INGEST = "/mtd.pb.ingest.v1.IngestService/"
TELEMETRY = "/mtd.pb.telemetry.v1.TelemetryService/"


@dataclass(frozen=True, slots=True)
class UnaryPlan:
    """Which calls are timed: so many, by so many callers at a time."""

    calls: int = 2000
    at_once: int = 16


def measure_api(
    stage: Stage, plan: Plan, streams: int, unary: UnaryPlan, say: Callable[[str], None]
) -> dict[str, Any]:
    """Time the door of a running stage; return the figures."""
    with MtdClient(stage.server) as client:
        devices = [(device.name, device.id) for device in client.list_devices()]
    wait_for_first_polls(stage, len(devices), say)
    wait_until_live(stage, say)
    figures: dict[str, Any] = {"devices": len(devices)}
    for name, path, request in _unary_calls(devices[0][0]):
        say(f"timing {name}")
        figures[name] = asyncio.run(_time_calls(stage.server, path, request, unary))
    say("appending frames, as an edge does")
    figures["append"] = asyncio.run(_append(stage, devices[0][1]))
    say("measuring what polling alone costs")
    alone_before, alone_started = accounts(stage), time.monotonic()
    time.sleep(min(plan.seconds, 15.0))  # noqa: TID251 - a script's own wait, no reactor here
    alone_after, alone_s = accounts(stage), time.monotonic() - alone_started
    say(f"reading {streams} streams of {len(devices)} devices, {plan.seconds:.0f} s")
    figures["streams"] = asyncio.run(_read_streams(stage, streams, plan.seconds))
    alone = (alone_after["daemon"].cpu_s - alone_before["daemon"].cpu_s) / alone_s
    _add_cost(figures["streams"], alone, len(devices) * streams)
    return figures


def _unary_calls(device: str) -> Sequence[tuple[str, str, bytes]]:
    now_us = time.time_ns() // 1000
    ranged = telemetry.QueryRangeRequest(
        device=device, metrics=["system.cpu.load_pct"], start_us=now_us - 60_000_000, end_us=now_us
    )
    latest = telemetry.QueryLatestRequest(page_size=100)
    latest.selector.devices.append(device)
    return (
        (
            "get_device",
            INVENTORY + "GetDevice",
            inventory.GetDeviceRequest(device=device).SerializeToString(),
        ),
        ("list_devices", INVENTORY + "ListDevices", inventory.ListDevicesRequest().SerializeToString()),
        ("list_metrics", TELEMETRY + "ListMetrics", telemetry.ListMetricsRequest().SerializeToString()),
        ("query_latest", TELEMETRY + "QueryLatest", latest.SerializeToString()),
        ("query_range_1m", TELEMETRY + "QueryRange", ranged.SerializeToString()),
    )


async def _time_calls(server: str, path: str, request: bytes, plan: UnaryPlan) -> dict[str, float]:
    """Return the times of calls: of one caller, who waits for each answer, and of many at a time."""
    async with grpc.aio.insecure_channel(server, options=_OPTIONS) as channel:
        call: Any = channel.unary_unary(path)  # type: ignore[call-arg]
        await _timed(lambda: call(request, timeout=30), _WARM_UP_CALLS, 1)
        single, _ = await _timed(lambda: call(request, timeout=30), plan.calls // 4, 1)
        many, took_s = await _timed(lambda: call(request, timeout=30), plan.calls, plan.at_once)
    return {
        "alone_p50_ms": _quantile_ms(single, 50),
        "alone_p95_ms": _quantile_ms(single, 95),
        f"of_{plan.at_once}_p50_ms": _quantile_ms(many, 50),
        f"of_{plan.at_once}_p95_ms": _quantile_ms(many, 95),
        f"of_{plan.at_once}_calls_per_s": round(len(many) / took_s),
    }


async def _timed(
    call: Callable[[], Awaitable[object]], count: int, at_once: int
) -> tuple[list[float], float]:
    took: list[float] = []
    numbers = iter(range(count))

    async def work() -> None:
        for _ in numbers:
            began = time.perf_counter()
            await call()
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return took, time.perf_counter() - began


def _quantile_ms(seconds: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(seconds, percent)) * 1000, 2)


async def _append(stage: Stage, device_id: str) -> dict[str, Any]:
    """Copy a log of frames into the hub's over one connection; return how fast it took them."""
    requests = list(_batches(device_id))
    before = accounts(stage)
    async with grpc.aio.insecure_channel(stage.server, options=_OWN) as channel:
        plain: Any = channel
        stream = plain.stream_stream(INGEST + "Append")()
        await stream.write(_append_open())
        opened = ingest.AppendResponse.FromString(await stream.read()).opened
        began = time.perf_counter()
        waiting = 0
        for request in requests:
            if waiting == opened.window_batches:
                waiting -= await _acknowledged(stream)
            await stream.write(request)
            waiting += 1
        while waiting:
            waiting -= await _acknowledged(stream)
        took_s = time.perf_counter() - began
        stream.cancel()
    after = accounts(stage)
    frames = _BATCHES * _FRAMES_PER_BATCH
    return {
        "frames": frames,
        "series_per_frame": _SERIES,
        "bytes_per_frame": round(sum(map(len, requests)) / frames),
        "window_batches": opened.window_batches,
        "frames_per_s": round(frames / took_s),
        "daemon_cpu_us_per_frame": round((after["daemon"].cpu_s - before["daemon"].cpu_s) / frames * 1e6, 1),
    }


async def _acknowledged(stream: Any) -> int:
    """Return how many batches the next message of the hub acknowledges."""
    answer = ingest.AppendResponse.FromString(await stream.read())
    if answer.WhichOneof("message") == "resend":
        raise HarnessFailed(f"the hub asks for {answer.resend.next_seq} again: a batch got lost on the way")
    return int(answer.WhichOneof("message") == "ack")


def _append_open() -> bytes:
    request = ingest.AppendRequest()
    request.open.log_id, request.open.lane, request.open.next_seq = _LOG_ID, ingest.LANE_BACKFILL, 1
    return request.SerializeToString()


def _batches(device_id: str) -> Iterator[bytes]:
    """Yield a log that a collector could have written: a layout, and a frame each second of the last hours."""
    counters = (Series("iface.rx_bytes_total", f"*{number}", Lane.COUNTER) for number in range(_SERIES))
    layout = Layout.of("t0", tuple(counters))
    origin = Origin(DEFAULT_TENANT_ID, "bench", device_id)
    first_us = time.time_ns() // 1000 - _BATCHES * _FRAMES_PER_BATCH * 1_000_000
    seq = 1
    for number in range(_BATCHES):
        request = ingest.AppendRequest()
        request.batch.first_seq = seq
        if not number:
            request.batch.events.append(layout_event(origin, layout, first_us, first_us))
        for step in range(_FRAMES_PER_BATCH):
            second = number * _FRAMES_PER_BATCH + step
            at_us = first_us + second * 1_000_000
            values = [10**12 + second * 125_000 + one for one in range(_SERIES)]
            frame = FrameValues(layout, at_us, counters=values, gauges=[], rates=[], poll_duration_us=900)
            request.batch.events.append(frame_event(origin, frame, at_us))
        seq += len(request.batch.events)
        request.batch.last_seq = seq - 1
        yield request.SerializeToString()


@dataclass(slots=True)
class _Heard:
    """What all streams brought since it was made."""

    messages: int = 0
    received_bytes: int = 0
    problem: str = ""


async def _read_streams(stage: Stage, streams: int, seconds: float) -> dict[str, Any]:
    """Read streams of all devices, over some connections; bytes are counted and not looked into."""
    request = telemetry.StreamLatestRequest().SerializeToString()
    heard = _Heard()
    channels = [
        grpc.aio.insecure_channel(stage.server, options=_OWN) for _ in range(min(_CONNECTIONS, streams))
    ]

    async def read(channel: Any) -> None:
        try:
            async for message in channel.unary_stream(TELEMETRY + "StreamLatest")(request):
                heard.messages += 1
                heard.received_bytes += len(message)
        except grpc.aio.AioRpcError as error:
            heard.problem = f"{error.code().name}: {error.details()}"

    reading = [asyncio.ensure_future(read(channels[number % len(channels)])) for number in range(streams)]
    try:
        await asyncio.sleep(_OPENING_S + streams / 100)
        heard.messages = heard.received_bytes = 0
        before, began = accounts(stage), time.monotonic()
        await asyncio.sleep(seconds)
        took_s = time.monotonic() - began
        after, messages, received = accounts(stage), heard.messages, heard.received_bytes
        open_now = sum(not one.done() for one in reading)
    finally:
        for one in reading:
            one.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        for channel in channels:
            await channel.close(None)
    if heard.problem or open_now < streams:
        raise HarnessFailed(f"{streams - open_now} of {streams} streams ended: {heard.problem}")
    return {
        "streams": streams,
        "seconds": round(took_s, 1),
        "messages": messages,
        "messages_per_stream_s": round(messages / streams / took_s, 2),
        "bytes_per_stream_s": round(received / streams / took_s),
        "daemon_cpu_pct": round(100 * (after["daemon"].cpu_s - before["daemon"].cpu_s) / took_s, 1),
        "daemon_rss_mb": round(after["daemon"].rss_bytes / 1e6, 1),
        "reader_cpu_pct": round(100 * (after["harness"].cpu_s - before["harness"].cpu_s) / took_s, 1),
    }


def _add_cost(figures: dict[str, Any], alone_cpu: float, updates_per_s: int) -> None:
    """Add what the streams cost beside polling: per message, and per update of a device in a stream."""
    extra = figures["daemon_cpu_pct"] / 100 - alone_cpu
    per_s = figures["messages"] / figures["seconds"]
    figures["daemon_cpu_alone_pct"] = round(100 * alone_cpu, 1)
    figures["cpu_us_per_message"] = round(extra / per_s * 1e6, 1) if per_s else None
    figures["cpu_us_per_device_second"] = round(extra / updates_per_s * 1e6, 2)
