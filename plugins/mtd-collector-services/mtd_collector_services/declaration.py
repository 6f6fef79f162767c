"""What is read of services, certificates and watched hosts, and what it means."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Gauge,
    Labels,
    Menu,
    Parse,
    Probe,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
    snapshot,
)
from mtd_collector_services.shapes import (
    certificate_states,
    one_address_list,
    one_cloud,
    service_states,
    watched_names,
)

# Newer versions list who is connected to a service among the services.
NOT_DYNAMIC = ("dynamic=true", "#!")

PROBES = (
    Probe(capability="cloud", path="/ip/cloud", count_only=False),
    Probe(capability="kid_control", path="/ip/kid-control"),
)


def _changed(field: str, event: str, entity: str, message: str) -> Column:
    return Column(field=field, event=StateEvent(event_type=event, entity_type=entity, message=message))


SERVICES = Menu(
    name="services",
    path="/ip/service",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    row_key="name",
    scope="services.listener",
    queries=NOT_DYNAMIC,
    reads=("disabled", "invalid"),
    transform=service_states,
    max_rows=100,
    max_bytes=65_536,
    fields=(
        State(
            field="state",
            key="services.listener.state",
            description="Whether a service of the router listens, is switched off, or can't do as it is told.",
            since="1",
            states={"disabled": 0, "enabled": 1, "failed": 2},
            event=StateEvent(
                event_type="service.state.changed",
                entity_type="service",
                message="service {label} is {new}",
                messages={"failed": "service {label} can't run as it is configured"},
                severities={"failed": Severity.WARNING},
            ),
        ),
    ),
)

SERVICE_TABLE = Menu(
    name="service-table",
    path="/ip/service",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="service",
    row_key="name",
    queries=NOT_DYNAMIC,
    reads=(
        "port",
        "address",
        "available-from",
        "certificate",
        "tls-version",
        "vrf",
        "max-sessions",
        "disabled",
        "invalid",
    ),
    transform=one_address_list,
    max_rows=100,
    max_bytes=65_536,
    fields=(
        _changed(
            "port",
            "service.port.changed",
            "service",
            "service {label} is on port {new} instead of {old}",
        ),
        _changed(
            "allowed",
            "service.access.changed",
            "service",
            "service {label} may be used from {new} instead of {old}",
        ),
        _changed(
            "certificate",
            "service.certificate.changed",
            "service",
            "service {label} has certificate {new} instead of {old}",
        ),
        *columns("tls-version", "vrf", "max-sessions", "disabled", "invalid"),
    ),
)

CERTIFICATES = Menu(
    name="certificates",
    path="/certificate",
    kind=TableKind.METRICS,
    tier=Tier.T3,
    row_key=".id",
    scope="services.certificate",
    reads=("invalid-after", "expired", "revoked"),
    transform=certificate_states,
    max_rows=500,
    max_bytes=262_144,
    fields=(
        Gauge(
            field="invalid-after",
            key="services.certificate.remaining_seconds",
            unit=Unit.SECONDS,
            description="Time until the certificate expires, by the collector's clock; below 0 if it has.",
            since="1",
            parse=Parse.UNTIL,
        ),
        State(
            field="state",
            key="services.certificate.state",
            description="Whether the router takes the certificate for valid.",
            since="1",
            states={"expired": 0, "valid": 1, "revoked": 2},
            event=StateEvent(
                event_type="certificate.state.changed",
                entity_type="certificate",
                message="certificate {label} is {new}",
                severities={"expired": Severity.WARNING, "revoked": Severity.WARNING},
            ),
        ),
    ),
)

CERTIFICATE_TABLE = Menu(
    name="certificate-table",
    path="/certificate",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="certificate",
    row_key=".id",
    scope="services.certificate",
    labels=Labels(name="name"),
    max_rows=500,
    max_bytes=524_288,
    fields=(
        *columns("name", "common-name", "subject-alt-name", "issuer", "ca"),
        _changed(
            "fingerprint",
            "certificate.renewed",
            "certificate",
            "certificate {label} was replaced by another",
        ),
        *columns(
            "serial-number",
            "key-type",
            "key-size",
            "key-usage",
            "invalid-before",
            "invalid-after",
            "private-key",
            "authority",
            "trusted",
            "expired",
            "revoked",
        ),
    ),
    appears=RowEvent(
        event_type="certificate.added", entity_type="certificate", message="certificate {label} was added"
    ),
    vanishes=RowEvent(
        event_type="certificate.removed", entity_type="certificate", message="certificate {label} is gone"
    ),
)

NETWATCH = Menu(
    name="netwatch",
    path="/tool/netwatch",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key=".id",
    scope="services.netwatch",
    sparse=True,
    max_rows=1_000,
    max_bytes=524_288,
    fields=(
        State(
            field="status",
            key="services.netwatch.state",
            description="Whether the router reaches a host that it watches.",
            since="1",
            states={"down": 0, "up": 1, "unknown": 2},
            event=StateEvent(
                event_type="netwatch.changed",
                entity_type="netwatch",
                message="watched host {label} is {new}",
                severities={"down": Severity.WARNING},
                expected_when=("disabled", "true"),
            ),
        ),
        Gauge(
            field="rtt-avg",
            key="services.netwatch.rtt_seconds",
            unit=Unit.SECONDS,
            description="Mean round trip time of the last test. Tests of type icmp, version 7.",
            since="1",
            parse=Parse.DURATION,
            expected_min=0.0,
        ),
        Gauge(
            field="loss-percent",
            key="services.netwatch.loss_pct",
            unit=Unit.PERCENT,
            description="Share of packets that the last test lost. Tests of type icmp, version 7.",
            since="1",
            suffix="%",
            expected_min=0.0,
            expected_max=100.0,
        ),
    ),
)

NETWATCH_TABLE = Menu(
    name="netwatch-table",
    path="/tool/netwatch",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="netwatch",
    row_key=".id",
    scope="services.netwatch",
    labels=Labels(name="title", logged="host"),
    reads=("name", "host", "type", "interval", "timeout", "port", "since", "disabled", "comment"),
    transform=watched_names,
    max_rows=1_000,
    max_bytes=524_288,
    fields=columns(
        "title", "name", "host", "type", "interval", "timeout", "port", "since", "disabled", "comment"
    ),
    appears=RowEvent(event_type="netwatch.added", entity_type="netwatch", message="{label} is watched now"),
    vanishes=RowEvent(
        event_type="netwatch.removed", entity_type="netwatch", message="{label} isn't watched any more"
    ),
)

CLOUD = Menu(
    name="cloud",
    path="/ip/cloud",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    requires="cloud",
    table="cloud",
    row_key="service",
    reads=("public-address", "public-address-ipv6", "dns-name", "status", "warning"),
    transform=one_cloud,
    max_rows=10,
    max_bytes=32_768,
    fields=(
        _changed(
            "public-address",
            "cloud.address.changed",
            "cloud",
            "public address changed from {old} to {new}",
        ),
        _changed(
            "public-address-ipv6",
            "cloud.address6.changed",
            "cloud",
            "public IPv6 address changed from {old} to {new}",
        ),
        *columns("dns-name", "warning"),
        Column(field="status", volatile=True),  # "updating..." and back, all day
    ),
)


def _count(name: str, path: str, key: str, description: str) -> Menu:
    return Menu(
        name=name,
        path=path,
        kind=TableKind.COUNT_ONLY,
        tier=Tier.T3,
        requires="kid_control",
        fields=(
            Gauge(
                field="count",
                key=f"services.{key}",
                unit=Unit.COUNT,
                description=description,
                since="1",
                expected_min=0.0,
            ),
        ),
    )


COLLECTOR = Collector(
    name="services",
    api=1,
    description="Services, certificates, watched hosts, public address, kid control",
    menus=(
        SERVICES,
        SERVICE_TABLE,
        CERTIFICATES,
        CERTIFICATE_TABLE,
        NETWATCH,
        NETWATCH_TABLE,
        CLOUD,
        _count("kids", "/ip/kid-control", "kid_control_profiles", "Profiles of kid control."),
        _count(
            "kid-devices",
            "/ip/kid-control/device",
            "kid_control_devices",
            "Devices that kid control knows.",
        ),
        snapshot(
            "services.cloud",
            "/ip/cloud",
            "ddns-enabled",
            "ddns-update-interval",
            "update-time",
            "back-to-home-vpn",
            "dns-name",
            requires="cloud",
        ),
    ),
    probes=PROBES,
)
