"""WireGuard: peers, what they carry, and when they were last heard of."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.command import Rows
from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.model.values import boolean, duration, integer
from mtd.plugin import (
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    Parse,
    Probe,
    State,
    StateEvent,
    TableKind,
    Tally,
    columns,
    snapshot,
)

Raw = bytes | None
_PEER = "wireguard.peer"
_WIREGUARD = "wireguard"
# A session that is used is made anew every two minutes, and can't be used after three.
SESSION_S = 180.0


def states_of_peers(rows: Rows) -> Rows:
    """Return the peers that are in use, with ``state``, ``age`` and ``kept-alive``."""
    rows = _in_use(rows)
    told = zip(rows.column("last-handshake"), rows.column("rx"), strict=True)
    ages = tuple(_age(handshake, received) for handshake, received in told)
    handshakes = rows.column("last-handshake")
    columns_ = {
        **rows.columns,
        "age": ages,
        "state": tuple(_state(age, raw) for age, raw in zip(ages, handshakes, strict=True)),
        "kept-alive": tuple(_is_kept_alive(raw) for raw in rows.column("persistent-keepalive")),
    }
    return Rows(rows.count, columns_)


def _in_use(rows: Rows) -> Rows:
    """Leave out peers that are disabled; the table, which the same read serves, has them."""
    kept = [place for place, raw in enumerate(rows.column("disabled")) if boolean(raw) is not True]
    if len(kept) == rows.count:
        return rows
    return Rows(len(kept), {name: [column[place] for place in kept] for name, column in rows.columns.items()})


def _age(handshake: Raw, received: Raw) -> Raw:
    """Return the handshake's age; None if there never was one.

    Some versions say 0 then. But a handshake is received itself: with no byte
    received there can't have been one.
    """
    age = duration(handshake)
    if age is None or (age == 0.0 and integer(received) == 0):
        return None
    return handshake


def _state(age: Raw, told: Raw) -> Raw:
    """Return the state. What can't be read is none, and neither up nor stale."""
    if age is None:
        return b"never" if told in (None, b"", b"never") or duration(told) == 0.0 else None
    seconds = duration(age)
    return b"up" if seconds is not None and seconds <= SESSION_S else b"stale"


def _is_kept_alive(raw: Raw) -> Raw:
    return b"true" if duration(raw) or integer(raw) else b"false"


def same_peer(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether two rows with one id are one peer: it is who has the key."""
    return before.get("public-key") == now.get("public-key")


PEERS = Menu(
    name="wireguard-peers",
    path="/interface/wireguard/peers",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="wireguard_peer",
    requires=_WIREGUARD,
    row_key=".id",
    scope=_PEER,
    labels=Labels(name="name", comment="comment"),
    same_thing=same_peer,
    private=("name", "comment"),
    max_instances=5_000,
    # Never the private and the shared key.
    fields=(
        *columns(
            "interface",
            "name",
            "comment",
            "public-key",
            "allowed-address",
            "endpoint-address",
            "endpoint-port",
            "current-endpoint-address",
            "persistent-keepalive",
            "responder",
            "dynamic",
            "disabled",
        ),
        Column(field="current-endpoint-port", volatile=True),
    ),
    tallies=(
        Tally(
            key="wireguard.interface.peers",
            description="WireGuard peers of one interface that are configured.",
            since="1",
            by="interface",
            scope="wireguard.interface",
        ),
    ),
)


def _bytes(way: str, did: str) -> Counter:
    return Counter(
        field=way,
        key=f"{_PEER}.{way}_bytes_total",
        unit=Unit.BYTES,
        description=f"Bytes {did} the peer.",
        since="1",
        rate=DerivedRate(
            key=f"{_PEER}.{way}_bps",
            unit=Unit.BITS_PER_SECOND,
            scale=8.0,
            description=f"Bits {did} the peer, per second.",
            since="1",
        ),
    )


STATES = Menu(
    name="wireguard-peer-states",
    path="/interface/wireguard/peers",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    requires=_WIREGUARD,
    row_key=".id",
    scope=_PEER,
    reads=("rx", "tx", "last-handshake", "persistent-keepalive", "disabled"),
    transform=states_of_peers,
    max_instances=1_000,
    fields=(
        _bytes("rx", "received from"),
        _bytes("tx", "sent to"),
        Gauge(
            field="age",
            key=f"{_PEER}.handshake_age_seconds",
            unit=Unit.SECONDS,
            description="Time since the last handshake; absent if there never was one.",
            since="1",
            parse=Parse.DURATION,
            expected_min=0.0,
        ),
        State(
            field="state",
            key=f"{_PEER}.state",
            description="Whether there was a handshake within three minutes; a peer that is silent has none.",
            since="1",
            states={"stale": 0, "up": 1, "never": 2},
            event=StateEvent(
                event_type="wireguard.peer.changed",
                entity_type="peer",
                message="WireGuard peer {label} went from {old} to {new}",
                messages={
                    "up": "WireGuard peer {label} is up",
                    "stale": "no handshake with WireGuard peer {label} for three minutes",
                },
                severities={"stale": Severity.WARNING},
                # Without a keepalive a peer with nothing to say is silent, and nothing is wrong.
                expected_when=("kept-alive", "false"),
            ),
        ),
    ),
)


INTERFACES = snapshot(
    "wireguard.interface",
    "/interface/wireguard",
    "listen-port",
    "mtu",
    "public-key",
    "vrf",
    "disabled",
    row_key="name",
    requires=_WIREGUARD,
)

# Version 6 has none: it isn't to be told of that by each of its routers, each time that mtd starts.
PROBES = (Probe(capability=_WIREGUARD, path="/interface/wireguard"),)
MENUS = (PEERS, STATES, INTERFACES)
