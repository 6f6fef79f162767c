"""Sessions of subscribers: PPP of all kinds, and hotspots; and how both are set."""

from __future__ import annotations

from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Chooses,
    Column,
    Counted,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Moment,
    RowEvent,
    TableKind,
    Tally,
    Why,
    columns,
    snapshot,
)

# A BRAS has 20,000 sessions; over this the answer is cut off, and that is told.
MANY_ROWS = 50_000
MANY_BYTES = 16 * 1024 * 1024


def tallies(prefix: str, noun: str, title: str, by: str) -> tuple[Tally, ...]:
    """Return what is counted of sessions: all, those of each ``by``, and how many come and go."""
    changes = tuple(
        Tally(
            key=f"{prefix}.{noun}_{word}_total",
            description=f"{title} that {did}, since mtd watches.",
            since="1",
            counts=counts,
            rate=DerivedRate(
                key=f"{prefix}.{noun}_{word}_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description=f"{title} that {did}, per second.",
                since="1",
            ),
        )
        for word, did, counts in (
            ("begun", "began", Counted.APPEARED),
            ("ended", "ended", Counted.VANISHED),
        )
    )
    return (
        Tally(key=f"{prefix}.{noun}", description=f"{title}.", since="1"),
        Tally(
            key=f"{prefix}.{by}.{noun}",
            description=f"{title} of one {by}.",
            since="1",
            by=by,
            scope=f"{prefix}.{by}",
        ),
        *changes,
    )


PPP = Menu(
    name="sessions",
    path="/ppp/active",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="ppp_session",
    row_key=".id",
    requires="ppp",
    max_rows=MANY_ROWS,
    max_bytes=MANY_BYTES,
    max_instances=MANY_ROWS,
    private=("name", "caller-id", "comment"),
    fields=(
        *columns(
            "name",
            "service",
            "caller-id",
            "address",
            "encoding",
            "session-id",
            "radius",
            "limit-bytes-in",
            "limit-bytes-out",
            "comment",
        ),
        Moment(field="uptime", name="since"),
    ),
    tallies=tallies("ppp", "sessions", "PPP sessions", "service"),
    scope="ppp.session",
    labels=Labels(),
    appears=RowEvent(event_type="ppp.session.started", entity_type="session", message="{label} is connected"),
    vanishes=RowEvent(
        event_type="ppp.session.ended", entity_type="session", message="{label} is not connected any more"
    ),
)

SECRETS = Menu(
    name="secrets",
    path="/ppp/secret",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="ppp_secret",
    row_key=".id",
    requires="ppp",
    max_rows=MANY_ROWS,
    max_bytes=MANY_BYTES,
    max_instances=MANY_ROWS,
    private=("name",),
    # Never the password.
    fields=columns("name", "profile", "service", "disabled"),
    tallies=(
        Tally(
            key="ppp.profile.secrets",
            description="Subscribers that are configured on the router, of one profile.",
            since="1",
            by="profile",
            scope="ppp.profile",
        ),
    ),
)

PROFILES = snapshot(
    "ppp.profile",
    "/ppp/profile",
    "local-address",
    "remote-address",
    "remote-ipv6-prefix-pool",
    "dhcpv6-pd-pool",
    "rate-limit",
    "session-timeout",
    "idle-timeout",
    "only-one",
    "use-encryption",
    "use-compression",
    "use-mpls",
    "use-ipv6",
    "change-tcp-mss",
    "bridge",
    "address-list",
    "interface-list",
    "incoming-filter",
    "outgoing-filter",
    "parent-queue",
    "queue-type",
    "insert-queue-before",
    "dns-server",
    "default",
    row_key="name",
    requires="ppp",
)

PPPOE_SERVERS = Menu(
    name="pppoe-servers",
    path="/interface/pppoe-server/server",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="pppoe_server",
    row_key=".id",
    max_rows=5_000,
    # Where subscribers arrive matters more than other interfaces.
    chooses=(
        Chooses(why=Why.PPPOE_SERVER, scope="iface", field="interface", where=(("disabled", "false"),)),
    ),
    fields=columns(
        "service-name",
        "interface",
        "max-mtu",
        "max-mru",
        "mrru",
        "authentication",
        "keepalive-timeout",
        "one-session-per-host",
        "max-sessions",
        "pado-delay",
        "accept-empty-service",
        "accept-untagged",
        "pppoe-over-vlan-range",
        "default-profile",
        "invalid",
        "disabled",
    ),
)


def _server(kind: str, *fields: str, row_key: str = "") -> Menu:
    common = (
        "enabled",
        "disabled",
        "port",
        "max-mtu",
        "max-mru",
        "mrru",
        "authentication",
        "default-profile",
        "keepalive-timeout",
    )
    return snapshot(
        f"ppp.{kind}_server", f"/interface/{kind}-server/server", *common, *fields, row_key=row_key
    )


SERVERS = (
    # Never the key that IPsec below L2TP is made with.
    _server("l2tp", "use-ipsec", "max-sessions", "one-session-per-host", "caller-id-type", "allow-fast-path"),
    _server("pptp"),
    _server("sstp", "certificate", "verify-client-certificate", "tls-version", "ciphers", "pfs"),
    # A single server before 7.17, a list since.
    _server("ovpn", "mode", "netmask", "protocol", "certificate", "auth", "cipher", row_key="name"),
)

HOTSPOT = Menu(
    name="hotspot-sessions",
    path="/ip/hotspot/active",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="hotspot_session",
    row_key=".id",
    requires="hotspot",
    max_rows=MANY_ROWS,
    max_bytes=MANY_BYTES,
    max_instances=MANY_ROWS,
    private=("user", "mac-address", "comment"),
    fields=(
        *columns(
            "server",
            "user",
            "domain",
            "address",
            "mac-address",
            "login-by",
            "radius",
            "blocked",
            "comment",
        ),
        Moment(field="uptime", name="since"),
        Moment(field="session-time-left", name="until", ahead=True),
        Column(field="bytes-in", volatile=True),
        Column(field="bytes-out", volatile=True),
    ),
    tallies=tallies("hotspot", "sessions", "Hotspot sessions", "server"),
    scope="hotspot.session",
    labels=Labels(name="user"),
    appears=RowEvent(
        event_type="hotspot.session.started", entity_type="session", message="{label} is logged in"
    ),
    vanishes=RowEvent(
        event_type="hotspot.session.ended", entity_type="session", message="{label} is not logged in any more"
    ),
)

HOSTS = Menu(
    name="hotspot-hosts",
    path="/ip/hotspot/host",
    kind=TableKind.COUNT_ONLY,
    tier=Tier.T1,
    requires="hotspot",
    max_rows=100,
    max_bytes=65_536,
    fields=(
        Gauge(
            field="count",
            key="hotspot.hosts",
            unit=Unit.COUNT,
            description="Devices on hotspot networks, logged in or not.",
            since="1",
            expected_min=0.0,
        ),
    ),
)

HOTSPOTS = snapshot(
    "hotspot.server",
    "/ip/hotspot",
    "interface",
    "address-pool",
    "profile",
    "idle-timeout",
    "keepalive-timeout",
    "login-timeout",
    "addresses-per-mac",
    "proxy-status",
    "invalid",
    "disabled",
    row_key="name",
    requires="hotspot",
)

MENUS = (PPP, SECRETS, PROFILES, PPPOE_SERVERS, *SERVERS, HOTSPOT, HOSTS, HOTSPOTS)
