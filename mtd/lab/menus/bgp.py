"""BGP peers, and the sessions with those that answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.lab.clock import TICKS_PER_S
from mtd.lab.menus.base import Menu, Row, nothing, numbered, row
from mtd.lab.menus.ip import UPSTREAM
from mtd.lab.personality import duration
from mtd.lab.wave import mix

if TYPE_CHECKING:
    from mtd.lab.state import RouterState

LOCAL_AS = 64500
INSTANCES_SINCE = (7, 20)
_SESSION_IDS = 0x2800000
_LOCAL_ADDRESS = "10.0.0.1"


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGP peer. ``since`` is the tick at which its session was established; None: there is none."""

    number: int
    name: str
    address: str
    remote_as: int
    prefixes: int
    since: int | None
    disabled: bool = False
    comment: str = ""


def peers(state: RouterState, tick: int) -> list[Peer]:
    """Return the BGP peers: a transit that is up with the uplink, one that never was, one that is switched off."""
    segment, key = state.truth.segment(tick), state.truth.key
    uplink = state.truth.all_interfaces[0]
    since = segment.up_since.get(0, segment.booted) if segment.running[uplink.index] else None
    return [
        Peer(0, "transit", UPSTREAM, 64601, 900_000 + mix(key, 21) % 50_000, since, comment="Transit north"),
        Peer(1, "customer", "192.0.2.17", 64702, 0, None),
        Peer(2, "former", "192.0.2.18", 64703, 0, None, disabled=True),
    ]


def age(since: int, tick: int) -> str:
    """Return how long ago a tick was, as routers print it."""
    return duration(max(0, tick - since) // TICKS_PER_S)


def router_id(state: RouterState) -> str:
    """Return the router's own id."""
    return f"10.255.{mix(state.truth.key, 22) % 250}.1"


def _dotted(group: str, **values: str | int) -> Row:
    """Return a row of names such as ``remote.address``."""
    return row(**{f"{group}.{name}": value for name, value in values.items()})


def _v6_instances(state: RouterState, _tick: int) -> list[Row]:
    content = row(name="default", router_id=router_id(state), routing_table="", disabled=False, default=True)
    return numbered([content | {b"as": b"%d" % LOCAL_AS}])


def _v6_peers(state: RouterState, tick: int) -> list[Row]:
    return numbered([_v6_peer(peer, tick) for peer in peers(state, tick)])


def _v6_peer(peer: Peer, tick: int) -> Row:
    up = peer.since is not None
    content = row(
        name=peer.name,
        instance="default",
        remote_address=peer.address,
        remote_as=peer.remote_as,
        tcp_md5_key="",
        address_families="ip",
        hold_time="3m",
        passive=False,
        multihop=False,
        use_bfd=peer.number == 0,
        disabled=peer.disabled,
        comment=peer.comment or None,
    )
    if peer.disabled:
        return content
    content |= row(established=up, state="established" if up else "active")
    if peer.since is not None:
        content |= row(
            remote_id=peer.address,
            local_address=_LOCAL_ADDRESS,
            uptime=age(peer.since, tick),
            prefix_count=peer.prefixes,
            updates_received=peer.prefixes + 17,
            updates_sent=3,
            used_hold_time="3m",
        )
    return content


def _connections(state: RouterState, tick: int) -> list[Row]:
    named = state.persona.version >= INSTANCES_SINCE
    families = b"afi" if named else b"address-families"
    return numbered(
        [
            row(name=peer.name, instance="main" if named else None)
            | {b"as": b"%d" % LOCAL_AS, families: b"ip"}
            | _dotted("remote", address=peer.address, **{"as": peer.remote_as})
            | _dotted("local", role="ebgp")
            | row(
                routing_table="main",
                use_bfd=peer.number == 0,
                disabled=peer.disabled,
                comment=peer.comment or None,
            )
            for peer in peers(state, tick)
        ]
    )


def _sessions(state: RouterState, tick: int) -> list[Row]:
    """Return the sessions that there are. Each gets an id of its own when it is established."""
    return [
        _session(state, tick, peer, peer.since)
        for peer in peers(state, tick)
        if peer.since is not None and not peer.disabled
    ]


def _session(state: RouterState, tick: int, peer: Peer, since: int) -> Row:
    number = (since // TICKS_PER_S * 16 + peer.number) % 0x100000
    named = state.persona.version >= INSTANCES_SINCE
    milliseconds = (tick - since) % TICKS_PER_S // 10 * 10
    return (
        {b".id": b"*%X" % (_SESSION_IDS + number)}
        | row(name=f"{peer.name}-1", instance="main" if named else None, established=True, ebgp="")
        | _dotted("remote", address=peer.address, **{"as": peer.remote_as}, id=peer.address, afi="ip", eor="")
        | _dotted("local", address=_LOCAL_ADDRESS, **{"as": LOCAL_AS}, id=router_id(state), eor="")
        | _dotted("output", procid=20)
        | _dotted("input", procid=20)
        | row(
            hold_time="3m",
            keepalive_time="1m",
            uptime=age(since, tick) + (f"{milliseconds}ms" if milliseconds else ""),
            last_started=state.date_time(since),
            prefix_count=peer.prefixes,
        )
    )


def bgp_menus(state: RouterState) -> list[Menu]:
    """Return the menus of this version."""
    if state.persona.is_v7:
        menus = [Menu("/routing/bgp/connection", _connections), Menu("/routing/bgp/session", _sessions)]
    else:
        menus = [
            Menu("/routing/bgp/instance", _v6_instances),
            Menu("/routing/bgp/peer", _v6_peers),
            Menu("/routing/bgp/advertisements", nothing),
        ]
    return menus
