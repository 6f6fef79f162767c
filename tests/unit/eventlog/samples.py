"""One event of each payload version, with every field set: what the golden samples hold."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise, product

from mtd.model import events
from mtd.model.device import DeviceStatus, Outcome, Severity
from mtd.model.events import Origin
from mtd.model.flows import FlowPortion, flow_event
from mtd.model.layout import Layout, Series
from mtd.model.logs import LogEntry, log_event
from mtd.model.metric import Lane
from mtd.model.observation import (
    CapabilityFact,
    Document,
    FrameValues,
    KeyRange,
    OutcomeReport,
    ProbeFacts,
    StateChange,
    TableChange,
)
from mtd.model.sighting import FoundBy, Sighting
from mtd.pb.events.v1.envelope_pb2 import Envelope

ORIGIN = Origin("00000000-0000-4000-8000-000000000001", "edge-7", "10000000-0000-4000-8000-00000000000a")
COLLECTED_US = 1_760_000_000_123_456
RECEIVED_US = COLLECTED_US + 2_500

LAYOUT = Layout.of(
    "t0",
    (
        Series("iface.rx_bytes_total", "*1", Lane.COUNTER),
        Series("iface.tx_bytes_total", "*1", Lane.COUNTER),
        Series("iface.link_downs_total", "*1", Lane.COUNTER),
        Series("system.cpu.load_pct", "", Lane.GAUGE),
        Series("iface.oper_state", "*1", Lane.GAUGE),
        Series("iface.rx_bps", "*1", Lane.RATE),
        Series("iface.tx_bps", "*1", Lane.RATE),
    ),
)
FRAME = FrameValues(
    layout=LAYOUT,
    collected_us=COLLECTED_US,
    counters=[2**53 + 1, None, 3],
    gauges=[12.5, 1.0],
    rates=[1.5e9, 0.25],
    low_confidence=[1],
    poll_duration_us=8_400,
)
CHANGE = StateChange(
    event_type="interface.oper.changed",
    severity=Severity.CRITICAL,
    entity_type="interface",
    entity_id="*1",
    entity_label="ether1 (Uplink Zain)",
    field="running",
    old="true",
    new="false",
    message="ether1 (Uplink Zain) went down",
)
TOLD = replace(CHANGE, logged_as="ether1", told_by="snmp")
TABLE = TableChange(
    table="interface",
    complete=True,
    upserted={"*1": {"name": "ether1", "comment": "Uplink Zaïn"}, "*2": {"name": "ether2"}},
    removed=["*9"],
)
PART = TableChange(
    table="ppp_session",
    complete=False,
    upserted={"*80000001": {"name": "joe"}},
    complete_within=KeyRange("*80000000", "*80000001"),
)
REPORT = OutcomeReport(
    outcome=Outcome.LOGIN_FAILED,
    status=DeviceStatus.DOWN,
    poll_group="t0",
    reason="user name or password was not accepted",
    consecutive_failures=3,
    polls_missed=7,
    retry_in_s=4.5,
)
FACTS = ProbeFacts(
    routeros_version="7.16.2 (stable)",
    routeros_major=7,
    board_name="CCR2004-16G-2S+",
    architecture="arm64",
    identity="core-1",
    serial_number="HE408ABCDEF",
    capabilities=(
        CapabilityFact("menu./interface/wifi", False, "no such command"),
        CapabilityFact("menu./interface", True),
    ),
)
SIGHTING = Sighting(
    found_by=FoundBy.SCAN,
    address="192.0.2.17",
    mac_address="48:8F:5A:00:00:17",
    identity="sw-łódź",
    platform="MikroTik",
    version="7.16.2 (stable)",
    board="CRS326-24G-2S+",
    software_id="AAAA-BBBB",
    interface_name="bridge/ether1",
    ports=(8728, 443),
)
_CONTENT = b'{"board":"CCR2004"}'
DOCUMENT = Document("system.resource", _CONTENT, hashlib.sha256(_CONTENT).digest())

# By type of payload; behind a "+" a further sample, with fields that came later.
LINES = [
    LogEntry(
        received_us=COLLECTED_US,
        text="login failure for user admin from 203.0.113.9 via ssh",
        original="<27>Oct  2 17:36:35 core-1 x[7]: login failure for user admin from 203.0.113.9 via ssh",
        form="bsd",
        severity=3,
        facility=3,
        topics=("system", "error"),
        event_type="user.login.failed",
        entity_type="user",
        entity="admin",
        state_field="state",
        old="out",
        new="in",
        values={"user": "admin"},
        host="core-1",
        program="x",
        process="7",
        told_time="Oct  2 17:36:35",
        repeats=2,
        cut=True,
    ),
    # The message isn't the line's end.
    LogEntry(COLLECTED_US, "a", "CEF:0|msg=a app=b", form="cef"),
]

FLOWS = FlowPortion(
    exporter="192.0.2.1",
    domain=7,
    form="ipfix",
    records=2,
    octets=1_500,
    packets=3,
    estimated_octets=1_500_000,
    estimated_packets=3_000,
    received_us=COLLECTED_US,
    first_ms=1_760_000_000_000,
    last_ms=1_760_000_000_100,
    sampling="told",
    # Octets 500 and 1000, packets 1 and 2, each of a sampling of 1000.
    block=bytes.fromhex(
        "010203066f63746574730209077061636b65747301050873616d706c696e6704"
        "0400f403100100f41102000108110200e80700"
    ),
)


def adjacency(number: int, old: str, new: str, *, major: int = 7) -> LogEntry:
    """Return a step of an adjacency as the rules took it apart that had one type of events for all of them."""
    if major == 6:
        neighbor, where = "192.0.2.3", {}
        text = f"OSPFv2 neighbor {neighbor}: state change from {old} to {new}"
    else:
        neighbor, where = "192.0.2.2", {"instance": "v2", "area": "area0", "interface": "sfp1"}
        text = (
            "v2 { version: 2 router-id: 192.0.2.1 } area0 { 0.0.0.0 } interface { broadcast 192.0.2.5%sfp1 } neighbor"
            f" {{ router-id: {neighbor} state: {old} }} state change to {new}"
        )
    return LogEntry(
        received_us=COLLECTED_US + number,
        text=text,
        original=f"route,ospf,info {text}",
        form="plain",
        severity=4,
        topics=("route", "ospf", "info"),
        event_type="routing.ospf.state.changed",
        entity_type="neighbor",
        entity=neighbor,
        state_field="state",
        old=old,
        new=new,
        values={**where, "neighbor": neighbor, "old": old, "new": new},
    )


_STATES = ("Down", "Init", "2-Way", "ExStart", "Exchange", "Loading", "Full", "Down")
ADJACENCIES = [
    adjacency(number, *states, major=major)
    for number, (major, states) in enumerate(product((7, 6), pairwise(_STATES)))
]

SAMPLES: dict[str, Envelope] = {
    "mtd.telemetry.layout.v1": events.layout_event(ORIGIN, LAYOUT, COLLECTED_US, RECEIVED_US),
    "mtd.telemetry.frame.v1": events.frame_event(ORIGIN, FRAME, RECEIVED_US),
    "mtd.state.changed.v1": events.state_event(ORIGIN, CHANGE, COLLECTED_US, RECEIVED_US),
    "mtd.state.changed.v1+told": events.state_event(ORIGIN, TOLD, COLLECTED_US, RECEIVED_US),
    "mtd.table.delta.v1": events.table_event(ORIGIN, TABLE, COLLECTED_US, RECEIVED_US),
    "mtd.table.delta.v1+part": events.table_event(ORIGIN, PART, COLLECTED_US, RECEIVED_US),
    "mtd.poll.outcome.v1": events.outcome_event(ORIGIN, REPORT, COLLECTED_US, RECEIVED_US),
    "mtd.device.capabilities.v1": events.probe_event(ORIGIN, FACTS, COLLECTED_US, RECEIVED_US),
    "mtd.document.snapshot.v1": events.snapshot_event(ORIGIN, DOCUMENT, COLLECTED_US, RECEIVED_US),
    "mtd.device.seen.v1": events.seen_event(ORIGIN, SIGHTING, COLLECTED_US, RECEIVED_US),
    "mtd.log.batch.v1": log_event(ORIGIN, "192.0.2.1", LINES, RECEIVED_US),
    "mtd.log.batch.v1+adjacencies": log_event(ORIGIN, "192.0.2.1", ADJACENCIES, RECEIVED_US),
    "mtd.flow.batch.v1": flow_event(ORIGIN, FLOWS, RECEIVED_US),
}
