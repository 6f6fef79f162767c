"""What is read of clocks, and what it means."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Gauge,
    Menu,
    Parse,
    Probe,
    State,
    StateEvent,
    TableKind,
    columns,
    snapshot,
)
from mtd_collector_timing.clock import CLOCK_FIELDS, NTP_FIELDS, one_client, one_moment

PROBES = (
    Probe(capability="gps", path="/system/gps", count_only=False),
    Probe(capability="ntp.servers", path="/system/ntp/client/servers"),
    Probe(capability="ntp.server", path="/system/ntp/server", count_only=False),
)

CLOCK = Menu(
    name="clock",
    path="/system/clock",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    reads=CLOCK_FIELDS,
    transform=one_moment,
    max_rows=10,
    max_bytes=16_384,
    fields=(
        Gauge(
            field="now",
            key="timing.clock_skew_seconds",
            unit=Unit.SECONDS,
            description="How far the router's clock is ahead of the collector's; it tells whole seconds.",
            since="1",
            parse=Parse.UNTIL,
        ),
    ),
)

NTP = Menu(
    name="ntp",
    path="/system/ntp/client",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    reads=NTP_FIELDS,
    transform=one_client,
    max_rows=10,
    max_bytes=16_384,
    fields=(
        State(
            field="state",
            key="timing.ntp.state",
            description="Whether the NTP client follows a server.",
            since="1",
            states={"stopped": 0, "waiting": 1, "synchronized": 2, "local_clock": 3},
            words={
                "stopped": "stopped",
                "waiting": "waiting",
                "synchronized": "synchronized",
                "using-local-clock": "local_clock",
                # The NTP package of version 6.
                "started": "waiting",
                "reached": "waiting",
                "timeset": "synchronized",
            },
            event=StateEvent(
                event_type="timing.ntp.changed",
                entity_type="ntp",
                message="NTP client went from {old} to {new}",
                messages={
                    "synchronized": "NTP client follows a server again",
                    "waiting": "NTP client has no server that it can follow",
                },
                severities={"waiting": Severity.WARNING, "local_clock": Severity.WARNING},
            ),
        ),
        Gauge(
            field="offset",
            key="timing.ntp.offset_seconds",
            unit=Unit.SECONDS,
            description="Offset of the clock that NTP found; in version 6, how far it was set at the last answer.",
            since="1",
            parse=Parse.DURATION,
        ),
        Gauge(
            field="stratum",
            key="timing.ntp.stratum",
            unit=Unit.COUNT,
            description="How far the server is from a reference clock.",
            since="1",
            expected_min=0.0,
            expected_max=16.0,
        ),
        Gauge(
            field="age",
            key="timing.ntp.age_seconds",
            unit=Unit.SECONDS,
            description="Time since a server answered last. Version 6 only.",
            since="1",
            parse=Parse.DURATION,
            expected_min=0.0,
        ),
    ),
)

NTP_TABLE = Menu(
    name="ntp-table",
    path="/system/ntp/client",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="ntp_client",
    row_key="service",
    reads=NTP_FIELDS,
    transform=one_client,
    max_rows=10,
    max_bytes=16_384,
    fields=(
        *columns("state"),
        Column(
            field="server",
            event=StateEvent(
                event_type="timing.ntp.server.changed",
                entity_type="ntp",
                message="NTP client follows {new} instead of {old}",
            ),
        ),
        Column(field="stratum", volatile=True),
    ),
)

GPS = Menu(
    name="gps",
    path="/system/gps",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    requires="gps",
    arguments=(("once", ""),),
    max_rows=10,
    max_bytes=16_384,
    fields=(
        State(
            field="valid",
            key="timing.gps.state",
            description="Whether GPS knows where it is, and so what time it is.",
            since="1",
            states={"invalid": 0, "valid": 1},
            words={"true": "valid", "yes": "valid", "false": "invalid", "no": "invalid"},
            event=StateEvent(
                event_type="timing.gps.changed",
                entity_type="gps",
                message="GPS is {new}",
                messages={"valid": "GPS has a fix again", "invalid": "GPS lost its fix"},
                severities={"invalid": Severity.WARNING},
            ),
        ),
        Gauge(
            field="satellites",
            key="timing.gps.satellites",
            unit=Unit.COUNT,
            description="Satellites in use.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="fix-quality",
            key="timing.gps.fix_quality",
            unit=Unit.COUNT,
            description="Quality of the fix as NMEA numbers it: 0 none, 1 GPS, 2 differential.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="horizontal-dilution",
            key="timing.gps.horizontal_dilution",
            unit=Unit.COUNT,
            description="Horizontal dilution of precision: below 2 is good.",
            since="1",
            expected_min=0.0,
        ),
        Gauge(
            field="data-age",
            key="timing.gps.age_seconds",
            unit=Unit.SECONDS,
            description="Age of what GPS told last.",
            since="1",
            parse=Parse.DURATION,
            expected_min=0.0,
        ),
    ),
)

# The last digits of a position always move: it is written down once a quarter of an hour, not once a minute.
POSITION = Menu(
    name="gps-position",
    path="/system/gps",
    command="monitor",
    kind=TableKind.SNAPSHOT,
    tier=Tier.T3,
    table="timing.gps_position",
    requires="gps",
    arguments=(("once", ""),),
    max_rows=10,
    max_bytes=16_384,
    fields=columns("valid", "latitude", "longitude", "altitude"),
)


SNAPSHOTS = (
    snapshot("timing.clock", "/system/clock", "time-zone-name", "time-zone-autodetect"),
    snapshot(
        "timing.ntp_client",
        "/system/ntp/client",
        "enabled",
        "mode",
        "servers",
        "primary-ntp",
        "secondary-ntp",
        "server-dns-names",
        "vrf",
    ),
    snapshot(
        "timing.ntp_servers",
        "/system/ntp/client/servers",
        "min-poll",
        "max-poll",
        "iburst",
        "dynamic",
        "disabled",
        "comment",
        row_key="address",
        requires="ntp.servers",
    ),
    snapshot(
        "timing.ntp_server",
        "/system/ntp/server",
        "enabled",
        "broadcast",
        "broadcast-addresses",
        "multicast",
        "manycast",
        "use-local-clock",
        "local-clock-stratum",
        "vrf",
        requires="ntp.server",
    ),
    snapshot(
        "timing.gps",
        "/system/gps",
        "enabled",
        "port",
        "channel",
        "set-system-time",
        "coordinate-format",
        "gps-antenna-select",
        requires="gps",
    ),
)

COLLECTOR = Collector(
    name="timing",
    api=1,
    description="Clocks: how far the router's is off, NTP, GPS",
    menus=(CLOCK, NTP, NTP_TABLE, GPS, POSITION, *SNAPSHOTS),
    probes=PROBES,
)
