"""IPsec: who is connected, which policies hold, how many security associations there are."""

from __future__ import annotations

from dataclasses import replace

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Moment,
    State,
    StateEvent,
    TableKind,
    Tally,
    columns,
    snapshot,
)
from mtd_collector_ppp.sessions import tallies

_POLICY = "ipsec.policy"
# Policies that somebody configured, are in use, and are to encrypt.
_IN_USE = ("action=encrypt", "template=true", "#!", "dynamic=true", "#!", "disabled=true", "#!")
_NEGOTIATING = (
    "spawning",
    "starting",
    "ready-to-send",
    "getspi-sent",
    "getspi-done",
    "msg1-sent",
    "ready-to-establish",
    "commiting",
    "adding-sa",
)

PEERS = Menu(
    name="ipsec-peers",
    path="/ip/ipsec/active-peers",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="ipsec_peer",
    row_key=".id",
    private=("id", "comment"),
    fields=(
        *columns(
            "id",
            "comment",
            "local-address",
            "remote-address",
            "port",
            "side",
            "responder",
            "natt-peer",
            "dynamic-address",
            "state",
            "ph2-total",
        ),
        Moment(field="uptime", name="since"),
        *(
            Column(field=name, volatile=True)
            for name in ("last-seen", "rx-bytes", "tx-bytes", "rx-packets", "tx-packets")
        ),
    ),
    tallies=(
        *(tally for tally in tallies("ipsec", "peers", "IPsec peers", "state")),
        Tally(
            key="ipsec.established_peers",
            description="IPsec peers whose connection is established.",
            since="1",
            where=(("state", "established"),),
        ),
    ),
)

# What the menu was called before 6.44.
PEERS_BEFORE = replace(
    PEERS, name="ipsec-peers-before", path="/ip/ipsec/remote-peers", instead_of="ipsec-peers"
)

ASSOCIATIONS = Menu(
    name="ipsec-sas",
    path="/ip/ipsec/installed-sa",
    kind=TableKind.COUNT_ONLY,
    tier=Tier.T1,
    max_rows=100,
    max_bytes=65_536,
    fields=(
        Gauge(
            field="count",
            key="ipsec.sas",
            unit=Unit.COUNT,
            description="Security associations, one for each direction.",
            since="1",
            expected_min=0.0,
        ),
    ),
)


def with_name(rows: Rows) -> Rows:
    """Give policies a name, which RouterOS gives them none of: from where to where."""
    ends = zip(rows.column("src-address"), rows.column("dst-address"), strict=True)
    names = tuple(b"%b > %b" % (source, target) if source and target else None for source, target in ends)
    return Rows(rows.count, {**rows.columns, "name": names})


POLICIES = Menu(
    name="ipsec-policies",
    path="/ip/ipsec/policy",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="ipsec_policy",
    row_key=".id",
    scope=_POLICY,
    queries=_IN_USE,
    labels=Labels(name="name", comment="comment"),
    private=("comment",),
    reads=(
        "comment",
        "peer",
        "src-address",
        "dst-address",
        "protocol",
        "src-port",
        "dst-port",
        "tunnel",
        "level",
        "proposal",
        "sa-src-address",
        "sa-dst-address",
        "invalid",
    ),
    transform=with_name,
    max_rows=2_000,
    max_bytes=1024 * 1024,
    fields=columns(
        "name",
        "comment",
        "peer",
        "src-address",
        "dst-address",
        "protocol",
        "src-port",
        "dst-port",
        "tunnel",
        "level",
        "proposal",
        "sa-src-address",
        "sa-dst-address",
        "invalid",
    ),
)

POLICY_STATES = Menu(
    name="ipsec-policy-states",
    path="/ip/ipsec/policy",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key=".id",
    scope=_POLICY,
    queries=_IN_USE,
    max_rows=2_000,
    max_bytes=1024 * 1024,
    fields=(
        State(
            field="ph2-state",
            key=f"{_POLICY}.state",
            description="Whether an IPsec policy has its security associations.",
            since="1",
            states={"down": 0, "up": 1, "negotiating": 2},
            words={
                "established": "up",
                "no-phase2": "down",
                "expired": "down",
                **dict.fromkeys(_NEGOTIATING, "negotiating"),
            },
            event=StateEvent(
                event_type="ipsec.policy.changed",
                entity_type="policy",
                message="IPsec {label} went from {old} to {new}",
                messages={"up": "IPsec {label} is up", "down": "IPsec {label} is down"},
                severities={"down": Severity.WARNING},
            ),
        ),
        Gauge(
            field="ph2-count",
            key=f"{_POLICY}.associations",
            unit=Unit.COUNT,
            description="Pairs of security associations of one policy.",
            since="1",
            expected_min=0.0,
        ),
    ),
)


def _errors(field: str, noun: str, description: str) -> Counter:
    return Counter(
        field=field,
        key=f"ipsec.{noun}_total",
        unit=Unit.EVENTS,
        description=f"{description}.",
        since="1",
        rate=DerivedRate(
            key=f"ipsec.{noun}_per_s",
            unit=Unit.EVENTS_PER_SECOND,
            description=f"{description}, per second.",
            since="1",
        ),
    )


ERRORS = Menu(
    name="ipsec-errors",
    path="/ip/ipsec/statistics",
    kind=TableKind.METRICS,
    tier=Tier.T2,
    max_rows=10,
    max_bytes=65_536,
    fields=(
        _errors("in-errors", "in_errors", "Packets received and not used, for whatever reason"),
        _errors("in-no-states", "in_unknown_spi", "Packets received of no known association"),
        _errors("in-state-protocol-errors", "in_bad_packets", "Packets received that can't be decrypted"),
        _errors("in-state-sequence-errors", "in_replays", "Packets received twice or much too late"),
        _errors("in-template-mismatches", "in_mismatches", "Packets received that no policy allows"),
        _errors("out-errors", "out_errors", "Packets not sent, for whatever reason"),
        _errors("out-no-states", "out_no_association", "Packets not sent for want of an association"),
    ),
)

CONFIGURED = snapshot(
    "ipsec.peer",
    "/ip/ipsec/peer",
    "address",
    "local-address",
    "port",
    "profile",
    "exchange-mode",
    "passive",
    "send-initial-contact",
    "responder",
    "disabled",
    row_key="name",
    queries=("dynamic=true", "#!"),
)

MENUS = (PEERS, PEERS_BEFORE, ASSOCIATIONS, POLICIES, POLICY_STATES, ERRORS, CONFIGURED)
