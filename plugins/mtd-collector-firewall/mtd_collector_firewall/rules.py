"""Rules of the four tables of the firewall, of both IP versions."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Counter,
    DerivedRate,
    Labels,
    Menu,
    RowEvent,
    StateEvent,
    TableKind,
    Tally,
    columns,
)
from mtd_collector_firewall.sums import COUNTED, by_chain, labelled

# Rules that the router makes itself, of hotspots and sessions, are without bound.
NOT_DYNAMIC = ("dynamic=true", "#!")

MAX_RULES_WITH_SERIES = 200
"""Of each table: four series each. Sums by chain and action have no such limit."""

_MATCHERS = (
    *("src-address", "dst-address", "src-address-list", "dst-address-list", "protocol", "src-port"),
    *("dst-port", "in-interface", "out-interface", "in-interface-list", "out-interface-list"),
    *("connection-state", "connection-nat-state", "connection-mark", "packet-mark", "routing-mark"),
    *("src-mac-address", "tcp-flags", "icmp-options", "limit", "dst-limit", "content", "layer7-protocol"),
)
_ACTIONS = {
    "filter": ("jump-target", "reject-with", "address-list", "address-list-timeout", "log", "log-prefix"),
    "nat": ("jump-target", "to-addresses", "to-ports", "address-list", "address-list-timeout", "log"),
    "mangle": (
        *("jump-target", "new-connection-mark", "new-packet-mark", "new-routing-mark", "new-mss"),
        *("new-dscp", "new-priority", "new-ttl", "passthrough", "address-list", "address-list-timeout"),
    ),
    "raw": ("jump-target", "address-list", "address-list-timeout", "log", "log-prefix"),
}


def _matched(prefix: str, what: str) -> tuple[Counter, Counter]:
    return (
        Counter(
            field="bytes",
            key=f"{prefix}.matched_bytes_total",
            unit=Unit.BYTES,
            description=f"Bytes that {what} matched.",
            since="1",
            rate=DerivedRate(
                key=f"{prefix}.matched_bps",
                unit=Unit.BITS_PER_SECOND,
                scale=8.0,
                description=f"Bits per second that {what} matched.",
                since="1",
            ),
        ),
        Counter(
            field="packets",
            key=f"{prefix}.matched_packets_total",
            unit=Unit.PACKETS,
            description=f"Packets that {what} matched.",
            since="1",
            rate=DerivedRate(
                key=f"{prefix}.matched_pps",
                unit=Unit.PACKETS_PER_SECOND,
                description=f"Packets per second that {what} matched.",
                since="1",
            ),
        ),
    )


def _menus(table: str, family: str, requires: str) -> tuple[Menu, ...]:
    """Return the menus of one table: counters by rule, their sums, the rules, and how they are configured."""
    name = table if family == "ip" else f"ipv6_{table}"
    title = table if family == "ip" else f"IPv6 {table}"
    scope = f"firewall.{name}"
    shared = {"path": f"/{family}/firewall/{table}", "requires": requires, "queries": NOT_DYNAMIC}
    counters = Menu(
        name=f"{name}-rules",
        kind=TableKind.METRICS,
        tier=Tier.T2,
        row_key=".id",
        scope=scope,
        max_instances=MAX_RULES_WITH_SERIES,
        fields=_matched(scope, f"the {title} rule"),
        **shared,  # type: ignore[arg-type]
    )
    sums = Menu(
        name=f"{name}-chains",
        kind=TableKind.METRICS,
        tier=Tier.T2,
        row_key="group",
        scope="firewall.chain",
        reads=(".id", "chain", "action", *COUNTED),
        transform=by_chain(name),
        # A rule that is edited takes all that it ever matched to another sum: nothing of that came now.
        breaks="rules",
        max_instances=MAX_RULES_WITH_SERIES,
        fields=_matched("firewall.chain", "all rules of one action in a chain"),
        **shared,  # type: ignore[arg-type]
    )
    snapshot = Menu(
        name=f"snapshot-{name}",
        kind=TableKind.SNAPSHOT,
        tier=Tier.T3,
        table=scope,
        row_key=".id",
        fields=columns("chain", "action", *_MATCHERS, *_ACTIONS[table], "disabled", "comment"),
        **shared,  # type: ignore[arg-type]
    )
    return counters, sums, _rules(name, title, shared), snapshot


def _rules(name: str, title: str, shared: Mapping[str, object]) -> Menu:
    """Return the table of rules, which says what people call them."""
    return Menu(
        name=f"{name}-table",
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T3,
        table=f"firewall_{name}",
        row_key=".id",
        scope=f"firewall.{name}",
        reads=("chain", "action", "comment", "disabled", "invalid"),
        transform=labelled,
        labels=Labels(name="label", comment="comment"),
        fields=(*columns("label", "chain", "action", "comment"), *_watched(title)),
        appears=RowEvent(
            event_type="firewall.rule.added",
            entity_type="firewall_rule",
            message=f"{title} rule {{label}} was added",
        ),
        vanishes=RowEvent(
            event_type="firewall.rule.removed",
            entity_type="firewall_rule",
            message=f"{title} rule {{label}} is gone",
        ),
        tallies=(Tally(key=f"firewall.{name}_rules", description=f"Rules in the {title} table.", since="1"),),
        **shared,  # type: ignore[arg-type]
    )


def _watched(title: str) -> tuple[Column, Column]:
    """Return the columns whose changes are told: somebody switched a rule, or took away what it needs."""
    return (
        Column(
            field="disabled",
            event=StateEvent(
                event_type="firewall.rule.switched",
                entity_type="firewall_rule",
                message=f"{title} rule {{label}}: disabled is {{new}}",
                messages={
                    "true": f"{title} rule {{label}} was switched off",
                    "false": f"{title} rule {{label}} was switched on",
                },
            ),
        ),
        Column(
            field="invalid",
            event=StateEvent(
                event_type="firewall.rule.validity.changed",
                entity_type="firewall_rule",
                message=f"{title} rule {{label}}: invalid is {{new}}",
                messages={
                    "true": f"{title} rule {{label}} can't work: something that it names is gone",
                    "false": f"{title} rule {{label}} works again",
                },
                severities={"true": Severity.WARNING},
            ),
        ),
    )


RULES = (
    *_menus("filter", "ip", ""),
    *_menus("nat", "ip", ""),
    *_menus("mangle", "ip", ""),
    *_menus("raw", "ip", ""),
    *_menus("filter", "ipv6", "ipv6"),
    *_menus("nat", "ipv6", "ipv6.nat"),
    *_menus("mangle", "ipv6", "ipv6"),
    *_menus("raw", "ipv6", "ipv6"),
)
