"""Tools that routers run on demand: give what a function here returns to a client's ``run``.

    for part in client.run(tools.ping("core-1", "192.0.2.1", count=3)):
        ...

The parts are rows, and at last a `ToolEnd`. What a router didn't tell is None.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar

from mtd.client.errors import MtdClientError
from mtd.client.requests import Call
from mtd.client.runs import RunCall
from mtd.client.values import word
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2 as pb

if TYPE_CHECKING:
    from typing import Unpack

DIAGNOSTICS = "diagnostics"

T = TypeVar("T")


class Bounds(TypedDict, total=False):
    """How long a tool may run: the daemon's defaults where they are missing."""

    seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class ToolEnd:
    """The end of a run: ``finished``, ``time`` or ``rows``."""

    reason: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PingReply:
    """The answer to one request, or that there was none."""

    sequence: int | None
    host: str | None
    size_bytes: int | None
    ttl: int | None
    time_ms: float | None
    status: str | None
    sent: int | None
    received: int | None
    loss_pct: int | None
    min_ms: float | None
    avg_ms: float | None
    max_ms: float | None


@dataclass(frozen=True, slots=True)
class TracerouteHop:
    """A hop, as it stands in a round; those of one ``section`` follow each other."""

    section: int | None
    address: str | None
    loss_pct: int | None
    sent: int | None
    last_ms: float | None
    avg_ms: float | None
    best_ms: float | None
    worst_ms: float | None
    std_dev_ms: float | None
    status: str | None


@dataclass(frozen=True, slots=True)
class TorchFlow:
    """A flow in one second; those of one ``section`` follow each other."""

    section: int | None
    mac_protocol: str | None
    ip_protocol: str | None
    source_address: str | None
    source_port: str | None
    destination_address: str | None
    destination_port: str | None
    vlan_id: int | None
    dscp: int | None
    tx_bps: int | None
    rx_bps: int | None
    tx_packets_per_s: int | None
    rx_packets_per_s: int | None


@dataclass(frozen=True, slots=True)
class SniffedPacket:
    """What the headers of a packet say."""

    number: int | None
    time_s: float | None
    interface: str | None
    direction: str | None
    source_mac: str | None
    destination_mac: str | None
    vlan: str | None
    source_address: str | None
    destination_address: str | None
    protocol: str | None
    size_bytes: int | None
    cpu: int | None
    tcp_flags: str | None
    ttl: int | None
    dscp: int | None


@dataclass(frozen=True, slots=True)
class BandwidthSample:
    """How a bandwidth test stands."""

    status: str | None
    duration_s: float | None
    tx_bps: int | None
    tx_10s_bps: int | None
    tx_total_bps: int | None
    rx_bps: int | None
    rx_10s_bps: int | None
    rx_total_bps: int | None
    lost_packets: int | None
    connections: int | None
    local_cpu_pct: int | None
    remote_cpu_pct: int | None


ToolPart: TypeAlias = PingReply | TracerouteHop | TorchFlow | SniffedPacket | BandwidthSample | ToolEnd


def ping(
    device: str,
    address: str,
    *,
    count: int = 0,
    interval_ms: int = 0,
    size_bytes: int = 0,
    source_address: str = "",
    interface: str = "",
    do_not_fragment: bool = False,
    from_collector: bool = False,
    **bounds: Unpack[Bounds],
) -> RunCall[PingReply | ToolEnd]:
    """Ping a host from a router, or ``from_collector``: the router itself if there is no address."""
    return _call(
        "Ping",
        lambda: pb.PingRequest(
            device=device,
            address=address,
            count=count,
            interval_ms=interval_ms,
            size_bytes=size_bytes,
            source_address=source_address,
            interface=interface,
            do_not_fragment=do_not_fragment,
            from_collector=from_collector,
            bounds=pb.Bounds(**bounds),
        ),
        PingReply,
    )


def traceroute(
    device: str,
    address: str,
    *,
    count: int = 0,
    max_hops: int = 0,
    udp: bool = False,
    resolve_names: bool = False,
    source_address: str = "",
    from_collector: bool = False,
    **bounds: Unpack[Bounds],
) -> RunCall[TracerouteHop | ToolEnd]:
    """Trace the path from a router to a host, or ``from_collector``: to the router itself if there is no address."""
    return _call(
        "Traceroute",
        lambda: pb.TracerouteRequest(
            device=device,
            address=address,
            count=count,
            max_hops=max_hops,
            udp=udp,
            resolve_names=resolve_names,
            source_address=source_address,
            from_collector=from_collector,
            bounds=pb.Bounds(**bounds),
        ),
        TracerouteHop,
    )


def torch(
    device: str,
    interface: str,
    *,
    source: str = "",
    destination: str = "",
    ip_protocol: str = "",
    port: int = 0,
    vlan_id: int = 0,
    by: Sequence[str] = (),
    **bounds: Unpack[Bounds],
) -> RunCall[TorchFlow | ToolEnd]:
    """Show the flows of an interface, told apart ``by`` address, protocol, port, vlan, dscp."""
    return _call(
        "Torch",
        lambda: pb.TorchRequest(
            device=device,
            interface=interface,
            source=source,
            destination=destination,
            ip_protocol=ip_protocol,
            port=port,
            vlan_id=vlan_id,
            by=by,
            bounds=pb.Bounds(**bounds),
        ),
        TorchFlow,
    )


def sniff(
    device: str,
    interface: str,
    *,
    address: str = "",
    ip_protocol: str = "",
    port: int = 0,
    mac_address: str = "",
    vlan_id: int = 0,
    direction: str = "",
    **bounds: Unpack[Bounds],
) -> RunCall[SniffedPacket | ToolEnd]:
    """List the packets of an interface by their headers."""
    return _call(
        "Sniff",
        lambda: pb.SniffRequest(
            device=device,
            interface=interface,
            address=address,
            ip_protocol=ip_protocol,
            port=port,
            mac_address=mac_address,
            vlan_id=vlan_id,
            direction=direction,
            bounds=pb.Bounds(**bounds),
        ),
        SniffedPacket,
    )


def bandwidth_test(
    device: str,
    address: str,
    *,
    protocol: str = "",
    direction: str = "",
    max_bps: int = 0,
    user: str = "",
    password: str = "",
    **bounds: Unpack[Bounds],
) -> RunCall[BandwidthSample | ToolEnd]:
    """Measure what the path from a router to another router's bandwidth server carries."""
    return _call(
        "BandwidthTest",
        lambda: pb.BandwidthTestRequest(
            device=device,
            address=address,
            protocol=protocol,
            direction=direction,
            max_bps=max_bps,
            user=user,
            password=password,
            bounds=pb.Bounds(**bounds),
        ),
        BandwidthSample,
    )


def _call(method: str, build: Callable[[], Any], row: Callable[..., T]) -> RunCall[T | ToolEnd]:
    def read(message: Any) -> Iterator[T | ToolEnd]:
        for found in message.rows:
            yield row(
                **{
                    field.name: getattr(found, field.name) if found.HasField(field.name) else None
                    for field in found.DESCRIPTOR.fields
                }
            )
        if message.HasField("end"):
            end = message.end
            yield ToolEnd(word(pb.EndReason, end.reason, "END_REASON_"), end.rows, end.seconds)

    try:
        request = build()
    except (ValueError, TypeError) as error:
        raise MtdClientError(
            f"what can't be sent: {error}", code="INVALID_ARGUMENT", reason="ARGUMENTS"
        ) from None
    return RunCall(DIAGNOSTICS, method, request, read)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that ended, and what of it was kept. Rows go by the field names of the tool's rows."""

    tool: str
    from_collector: bool
    arguments: Mapping[str, str]
    caller: str
    started_at: dt.datetime
    seconds: float
    result: str
    detail: str
    row_count: int
    rows: Sequence[Mapping[str, Any]]
    rows_left_out: int
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """A page of runs; an empty token ends the list."""

    runs: Sequence[StoredRun]
    next_page_token: str


def runs(device: str, tool: str = "", *, page_size: int = 0, page_token: str = "") -> Call[StoredRuns]:
    """List the runs of a device that ended, the newest first: give it to a client's ``ask``."""
    request = pb.ListRunsRequest(device=device, tool=tool, page_size=page_size, page_token=page_token)
    return Call(DIAGNOSTICS, "ListRuns", request, _runs_of)


def _runs_of(message: pb.ListRunsResponse) -> StoredRuns:
    return StoredRuns([_run_of(run) for run in message.runs], message.next_page_token)


def _run_of(run: pb.Run) -> StoredRun:
    return StoredRun(
        run.tool,
        run.from_collector,
        dict(run.arguments),
        run.caller,
        run.start_time.ToDatetime(dt.UTC),
        run.seconds,
        run.result,
        run.detail,
        run.row_count,
        [_plain(row) for row in run.rows],
        run.rows_left_out,
        _plain(run.summary),
    )


def _plain(struct: Any) -> dict[str, Any]:
    """Return a Struct as plain values."""
    from google.protobuf.json_format import MessageToDict

    found: dict[str, Any] = MessageToDict(struct)
    return found
