"""Who is next to the router: what MNDP, CDP and LLDP tell of the other ends of its links."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.plugin import Labels, Menu, RowEvent, TableKind, Tally, columns

# Nothing that changes by itself: neither the age of an entry nor the uptime of the neighbour.
NEIGHBORS = Menu(
    name="neighbors",
    path="/ip/neighbor",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="neighbor",
    row_key=".id",
    scope="ip.neighbor",
    max_rows=5_000,
    max_bytes=4 * 1024 * 1024,
    max_instances=5_000,
    labels=Labels(name="identity", comment="interface"),
    fields=columns(
        *("interface", "address", "address4", "address6", "mac-address", "identity", "platform", "version"),
        *("board", "software-id", "interface-name", "system-description", "system-caps-enabled"),
        "discovered-by",
    ),
    appears=RowEvent(
        event_type="ip.neighbor.appeared", entity_type="neighbor", message="neighbour {label} is there"
    ),
    vanishes=RowEvent(
        event_type="ip.neighbor.vanished",
        entity_type="neighbor",
        message="neighbour {label} isn't heard of any more",
        severity=Severity.WARNING,
    ),
    tallies=(
        Tally(
            key="ip.neighbors",
            description="Neighbours that announce themselves (MNDP, CDP, LLDP).",
            since="1",
        ),
    ),
)
