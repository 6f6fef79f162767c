"""What is read of tools that look at traffic. Torch, sniffer and bandwidth test are never started from here."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import Collector, Gauge, Menu, State, StateEvent, TableKind, snapshot

_ON = {"true": "on", "yes": "on", "false": "off", "no": "off"}


def _switch(
    name: str, path: str, field: str, description: str, what: str, severity: Severity = Severity.INFO
) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.METRICS,
        tier=Tier.T2,
        max_rows=10,
        max_bytes=16_384,
        fields=(
            State(
                field=field,
                key=f"tools.{name}_state",
                description=description,
                since="1",
                states={"off": 0, "on": 1},
                words=_ON,
                event=StateEvent(
                    event_type=f"tools.{name}.changed",
                    entity_type="tool",
                    message=f"{what} is {{new}}",
                    severities={"on": severity},
                ),
            ),
        ),
    )


SWITCHES = (
    _switch(
        "sniffer",
        "/tool/sniffer",
        "running",
        "Whether the packet sniffer runs.",
        "the packet sniffer",
        Severity.WARNING,  # somebody reads what others send
    ),
    _switch(
        "traffic_flow",
        "/ip/traffic-flow",
        "enabled",
        "Whether the router sends flows (NetFlow, IPFIX).",
        "sending of flows",
    ),
    _switch(
        "bandwidth_server",
        "/tool/bandwidth-server",
        "enabled",
        "Whether others may test their bandwidth against the router.",
        "the bandwidth test server",
    ),
)

FLOW_TARGETS = Menu(
    name="flow-targets",
    path="/ip/traffic-flow/target",
    kind=TableKind.COUNT_ONLY,
    tier=Tier.T3,
    queries=("disabled=true", "#!"),
    fields=(
        Gauge(
            field="count",
            key="tools.flow_targets",
            unit=Unit.COUNT,
            description="Collectors that flows are sent to.",
            since="1",
            expected_min=0.0,
        ),
    ),
)

SNAPSHOTS = (
    snapshot(
        "tools.traffic_flow",
        "/ip/traffic-flow",
        "enabled",
        "interfaces",
        "cache-entries",
        "active-flow-timeout",
        "inactive-flow-timeout",
        "packet-sampling",
        "sampling-interval",
        "sampling-space",
    ),
    snapshot(
        "tools.flow_targets",
        "/ip/traffic-flow/target",
        "address",
        "dst-address",
        "port",
        "src-address",
        "version",
        "v9-template-refresh",
        "v9-template-timeout",
        "disabled",
        row_key=".id",
    ),
    snapshot(
        "tools.sniffer",
        "/tool/sniffer",
        "filter-interface",
        "filter-ip-address",
        "filter-port",
        "filter-stream",
        "file-name",
        "file-limit",
        "memory-limit",
        "only-headers",
        "streaming-enabled",
        "streaming-server",
    ),
    snapshot(
        "tools.bandwidth_server",
        "/tool/bandwidth-server",
        "enabled",
        "authenticate",
        "max-sessions",
        "allocate-udp-ports-from",
        "allowed-addresses4",
        "allowed-addresses6",
    ),
    snapshot("tools.graphing", "/tool/graphing", "store-every", "page-refresh"),
    snapshot(
        "tools.graphing_interface",
        "/tool/graphing/interface",
        "interface",
        "allow-address",
        "store-on-disk",
        "disabled",
        row_key=".id",
    ),
    snapshot(
        "tools.graphing_queue",
        "/tool/graphing/queue",
        "simple-queue",
        "allow-address",
        "allow-target",
        "store-on-disk",
        "disabled",
        row_key=".id",
    ),
    snapshot(
        "tools.graphing_resource",
        "/tool/graphing/resource",
        "allow-address",
        "store-on-disk",
        "disabled",
        row_key=".id",
    ),
)

COLLECTOR = Collector(
    name="tools",
    api=1,
    description="Traffic tools: sniffer, flows, bandwidth server, graphing",
    menus=(*SWITCHES, FLOW_TARGETS, *SNAPSHOTS),
)
